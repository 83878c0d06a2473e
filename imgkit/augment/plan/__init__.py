"""From a list of transforms to a plan of stages."""
