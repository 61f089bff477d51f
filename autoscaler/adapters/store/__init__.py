"""The record of decisions on disk: run-length rows, compressed payloads, one writer thread."""

from autoscaler.adapters.store.decision_store import DecisionStore, StoreLimits
from autoscaler.adapters.store.reader import StoredDecisions

__all__ = ["DecisionStore", "StoreLimits", "StoredDecisions"]
