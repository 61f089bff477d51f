"""Frozen values that every stage shares. Standard library and numpy only; no I/O, no clock."""
