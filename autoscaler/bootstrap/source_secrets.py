"""What the sources in force go in with, out of Secrets of the operator's own namespace."""

from __future__ import annotations

from pathlib import Path

from autoscaler.adapters.kubernetes.connection import Connection
from autoscaler.adapters.kubernetes.secrets import Key, SecretStore, SecretText
from autoscaler.bootstrap.fleet_files import FleetFiles
from autoscaler.spec.compile import SecretKey


class SourceSecrets:
    """Implements servers.Secrets. Only what a source in force names is kept."""

    def __init__(self, connection: Connection, namespace: str, files: FleetFiles) -> None:
        def wanted() -> set[Key]:
            return {(s.name, s.key) for source in list(files.servers.values()) for s in source.secrets}

        self.store = SecretStore(connection, namespace, wanted)

    def secret(self, named: SecretKey) -> SecretText:
        kept = SecretText(self.store, (named.name, named.key))
        kept.text()  # what cannot be had is said when the source is opened
        return kept

    def file(self, named: SecretKey) -> Path:
        return self.store.path((named.name, named.key))

    def start(self) -> None:
        self.store.start()

    def stop(self) -> None:
        self.store.stop()
