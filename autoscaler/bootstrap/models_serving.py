"""The model that a running service holds: its own promoted one, else the packaged one; once good, never lost."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from autoscaler.adapters.artefacts.in_force import InForce
from autoscaler.bootstrap.models import own_models, packaged_models
from autoscaler.domain.artefact import Artefact, BadArtefact, Expected, Fault

log = logging.getLogger("foresail")


@dataclass(slots=True)
class ServedModel:
    """Ask `refreshed` beside the ticks: a change reads and checks files. `artefact` is what serves, None without any.

    Generations count within a folder: an own first one replaces a packaged seventh. An own model that was good is not
    given up for the packaged one when its folder is damaged or gone.
    """

    own: InForce
    packaged: InForce
    _told: str | None = field(default=None)

    @staticmethod
    def at(root: Path, expected: Expected, trust: Sequence[Path] = ()) -> ServedModel:
        """root: folder of the installation's own models (`models_folder`)."""
        return ServedModel(InForce(own_models(root, trust), expected), InForce(packaged_models(), expected))

    @property
    def artefact(self) -> Artefact | None:
        return self.own.artefact or self.packaged.artefact

    @property
    def trouble(self) -> BadArtefact | None:
        """What is wrong with the newest own model, or with the packaged one where it would serve; None: nothing.

        An own folder in which nothing was promoted yet is no trouble.
        """
        if self.own.artefact is not None:
            return self.own.trouble
        own = self.own.trouble
        if own is not None and own.fault is not Fault.MISSING:
            return own
        return self.packaged.trouble

    def refreshed(self, now: datetime) -> bool:
        """Whether `artefact` is another one than before; says so in the log, and trouble once."""
        before = self.artefact
        self.own.refreshed(now)
        if self.own.artefact is None:
            self.packaged.refreshed(now)
        found, trouble = self.artefact, self.trouble
        changed = found is not None and found is not before
        if changed and found is not None:
            source = "own" if found is self.own.artefact else "packaged"
            log.info("model_in_force %s kind=%s %s", found.manifest.label, found.manifest.kind, source)
        words = None if trouble is None else str(trouble)
        if words is not None and words != self._told:
            kept = "none" if found is None else found.manifest.label
            log.warning("model_not_taken %s: %s; serving: %s", trouble.fault if trouble else "", words, kept)
        self._told = words
        return changed
