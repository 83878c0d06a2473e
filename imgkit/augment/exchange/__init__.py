"""Pipelines as documents, and from other libraries."""
