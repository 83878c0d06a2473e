"""Data sets for training: figures, splits, shards and cards."""
