"""Side-by-side measurements with peers: ``python -m benchmarks [suite ...] [--quick]``."""
