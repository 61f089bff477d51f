"""The rival that is drawn beside us, by the name that the user typed."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from autoscaler.bootstrap.comparing import Judged
from autoscaler.bootstrap.report.naming import knob_words, title_of
from autoscaler.domain.errors import Refused
from autoscaler.simulator.comparison import Entry, Tuning
from autoscaler.simulator.rivals.catalogue import rivals

AS_SET, RETUNED = "as-set", "retuned"
_TUNINGS = {t.value: t for t in (Tuning.DEFAULT, Tuning.HINDSIGHT, Tuning.CAUSAL)}


@dataclass(frozen=True, slots=True)
class RivalName:
    """name: AS_SET, RETUNED or a method. tuning: None = in hindsight where a setting kept the risk, else default."""

    name: str
    tuning: Tuning | None = None

    @classmethod
    def of(cls, text: str) -> RivalName:
        """Of `--rival`; known before any work."""
        name, _, how = text.partition(":")
        names = [AS_SET, RETUNED, *(r.name for r in rivals())]
        if name not in names:
            near = get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]}?" if near else "."
            raise Refused(f"--rival {text!r} is not known{hint} There are: {', '.join(names)}")
        if how and (how not in _TUNINGS or name in {AS_SET, RETUNED}):
            raise Refused(f"--rival {text!r}: after a method's name may stand :default, :hindsight or :causal")
        return cls(name, _TUNINGS.get(how))


def chosen(judged: Judged, asked: RivalName) -> tuple[str, Entry]:
    """What to call it in a picture, and its entry."""
    target = judged.as_set.knob or 0.0
    if asked.name == AS_SET:
        return f"your HPA as set ({target:.0%})".replace("%", " %"), judged.as_set
    if asked.name == RETUNED:
        if judged.retuned is None:
            raise Refused("--rival retuned: at no target did your HPA keep a shortage as small as ours; leave it out")
        return f"your HPA retuned ({judged.retuned.knob or 0:.0%})".replace("%", " %"), judged.retuned
    wanted = (asked.tuning,) if asked.tuning else (Tuning.HINDSIGHT, Tuning.DEFAULT)
    for tuning in wanted:
        entry = judged.comparison.entry(asked.name, tuning)
        if entry is not None:
            return f"{title_of(entry.name)} ({entry.tuning.value}, {knob_words(entry.name, entry.knob)})", entry
    why = dict(judged.unfit).get(asked.name, "no setting of it kept the accepted risk; write :default or :causal")
    raise Refused(f"--rival {asked.name}: {why}")
