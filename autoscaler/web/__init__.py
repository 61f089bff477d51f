"""Our own HTTP: /metrics and /healthz. Read-only."""
