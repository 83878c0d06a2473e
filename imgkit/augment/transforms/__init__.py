"""The transforms: declarations of what may happen to an image."""
