"""Quantiles of the coming peak. Knows series; must not know replicas, guards or where demand comes from."""
