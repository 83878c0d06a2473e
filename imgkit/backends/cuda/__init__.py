"""The fused CUDA kernel: what it can run, its numbers, its launch."""
