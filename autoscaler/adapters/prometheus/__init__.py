"""Demand from Prometheus and from what speaks its API: Thanos, Mimir, VictoriaMetrics."""
