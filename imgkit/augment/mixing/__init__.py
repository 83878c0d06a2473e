"""Mixing the images of a batch."""
