"""Masks, boxes, polygons and keypoints follow the pixels."""
