"""The demand that we keep ourselves: one SQLite file beside the record."""

from autoscaler.adapters.demand_store.store import DemandStore

__all__ = ["DemandStore"]
