"""Ports met by real things: files, Prometheus, Kubernetes, a database. Foreign errors end here."""
