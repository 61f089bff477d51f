"""The operator at scale on real servers: what a thousand objects cost, and KEDA beside it."""
