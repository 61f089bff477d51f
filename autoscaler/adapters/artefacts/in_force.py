"""What a running process serves from a folder of models: the promoted one, or the last good one that it has."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from autoscaler.adapters.artefacts.folder import ModelFolder
from autoscaler.adapters.artefacts.promotions import Move, Promotion
from autoscaler.domain.artefact import Artefact, BadArtefact, Expected, Fault
from autoscaler.domain.errors import Refused


@dataclass(slots=True)
class InForce:
    """Ask `refreshed` from time to time; it reads arrays only when something else was put into force.

    artefact: what serves, None before the first good one. trouble: what is wrong with the newest, None when nothing is.
    """

    models: ModelFolder
    expected: Expected
    artefact: Artefact | None = None
    trouble: BadArtefact | None = None
    _newest: Promotion | None = field(default=None)

    def refreshed(self, now: datetime) -> bool:
        """Whether `artefact` is another one than before. Never raises for what is found: what was good stays."""
        name = str(self.expected.name)
        try:
            record = self.models.history(name)
            newest = record[-1] if record else None
            if newest is not None and newest == self._newest and self.trouble is None:
                return False
            found, passed_over = self.models.in_force(self.expected, now)
            self._must_not_be_older(found, record)
        except BadArtefact as why:
            self.trouble = why
            return False
        except Refused as why:  # a file among the trusted keys that is none
            self.trouble = BadArtefact(Fault.WRONG_SIGNATURE, str(why))
            return False
        self.trouble = passed_over[0] if passed_over else None
        if self.trouble is not None and self.artefact is not None:
            return False  # what this process holds was checked when it came; it beats one from further back
        self._newest = newest
        changed = self.artefact is None or self.artefact.manifest != found.manifest
        if changed:
            self.artefact = found
        return changed

    def _must_not_be_older(self, found: Artefact, record: tuple[Promotion, ...]) -> None:
        """Raises BadArtefact: OLDER, unless the record says that someone rolled back from what is served here."""
        if self.artefact is None:
            return
        held, offered = self.artefact.manifest, found.manifest
        rolled_back = any(
            each.move is Move.ROLLED_BACK and each.generation == offered.generation for each in record[-1:]
        )
        if offered.generation < held.generation and not rolled_back:
            place = self.models.place(held.name)
            raise BadArtefact(
                Fault.OLDER, f"{place}: {offered.label} is older than {held.label}, and no roll-back is on record"
            )
