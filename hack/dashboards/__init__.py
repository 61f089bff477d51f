"""Grafana dashboards of the chart, made from a few words each, so that they look and read alike."""
