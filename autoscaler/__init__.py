"""Foresail: a predictive autoscaler and anomaly detector for Kubernetes."""
