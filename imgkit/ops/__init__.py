"""Layer one: deterministic functions of an image."""
