"""What may happen to an image, planned as numbers before pixels move."""
