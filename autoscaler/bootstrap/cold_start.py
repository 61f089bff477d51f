"""The server of forecasts as it is composed everywhere: the forecasters, and the global model for first hours.

A service takes what its installation promoted and follows promotions; what runs over recordings takes the packaged one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import monotonic

from autoscaler.adapters.artefacts.in_force import InForce
from autoscaler.adapters.clock import SystemClock
from autoscaler.bootstrap.models import models_folder, packaged_models
from autoscaler.bootstrap.models_serving import ServedModel
from autoscaler.domain.artefact import Artefact, BadArtefact
from autoscaler.forecasting.catalogue import serving_models
from autoscaler.forecasting.pretrained import EXPECTED, GlobalPeaks
from autoscaler.forecasting.serving import PeakServer

log = logging.getLogger("foresail")
LOOK_EVERY_S = 30.0


def packaged_server() -> PeakServer:
    """With the global model that came with Foresail; without it where it is damaged, which the log says."""
    model = InForce(packaged_models(), EXPECTED)
    model.refreshed(SystemClock().now())
    if model.trouble is not None:
        log.warning("model_not_taken %s: %s; serving: none", model.trouble.fault, model.trouble)
    return PeakServer(serving_models(), start=_peaks(model.artefact))


@dataclass(slots=True)
class ColdStart:
    """Keeps the start of a server at the model in force. Call `follow` between ticks: a look costs under a millisecond,
    and twenty where another model was promoted.
    """

    served: ServedModel
    look_every_s: float = LOOK_EVERY_S
    clock_s: Callable[[], float] = monotonic
    _due_s: float = field(default=float("-inf"))

    @staticmethod
    def beside(store: Path) -> ColdStart:
        """store: the record of decisions, beside which an installation's own models are."""
        return ColdStart(ServedModel.at(models_folder(store), EXPECTED))

    def follow(self, server: PeakServer, now: datetime) -> None:
        """Put another model in force into the server; whatever goes wrong, the one before serves on."""
        if self.clock_s() < self._due_s:
            return
        self._due_s = self.clock_s() + self.look_every_s
        try:
            if not self.served.refreshed(now):
                return
            peaks = _peaks(self.served.artefact)
            if peaks is None and server.start is None:
                self.served.packaged.refreshed(now)
                peaks = _peaks(self.served.packaged.artefact)
            server.start = peaks or server.start
        except Exception:
            log.exception("model_not_taken: the one before serves on")


def _peaks(artefact: Artefact | None) -> GlobalPeaks | None:
    if artefact is None:
        return None
    try:
        return GlobalPeaks.of(artefact)
    except BadArtefact as why:
        log.warning("model_not_taken %s: %s; the one before serves on", why.fault, why)
        return None
