"""NumPy, SciPy and OpenCV on arrays."""
