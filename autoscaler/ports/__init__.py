"""Protocols by which the pipeline reaches the outside. Adapters and in-memory twins implement them."""
