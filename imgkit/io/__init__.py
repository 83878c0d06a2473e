"""Bytes to image and image to bytes."""
