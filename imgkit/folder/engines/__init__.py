"""Who runs the work of a folder."""
