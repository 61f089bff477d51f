"""Fills the values of a report from a judged simulation, or from the record of a running service."""
