"""Image files: `read` and `write`, the codec, and files and folders."""
