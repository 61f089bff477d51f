"""What is looked at of a recording and the demands in it."""

from __future__ import annotations

import numpy as np

from autoscaler.adapters.files import FileMetrics
from autoscaler.bootstrap.checkup.asking import Notes, day_text, span_text
from autoscaler.bootstrap.checkup.samples import DAY_S, tell_day, tell_length, tell_unknown_capacity
from autoscaler.domain.workload import Demand, Workload
from autoscaler.spec.compile import Recording


def look_at_recording(notes: Notes, source: Recording, files: FileMetrics, step_s: int) -> bool:
    """Whether its demands can be looked at."""
    end_s = files.newest_end_s(step_s)
    if end_s is None:
        why = files.errors.get(source.name, f"{source.path} holds no series")
        notes.fail("readable", f"the recording gives no data: {why}", "mend the file or its path")
        return False
    notes.ok("readable", f"{source.path} can be read; its data ends at {day_text(end_s)}")
    return True


def look_at_recorded(notes: Notes, load: Workload, demand: Demand, files: FileMetrics, step_s: int) -> None:
    """Judged at the end of the recording: a file is not asked to be of today."""
    end_s = files.newest_end_s(step_s)
    if end_s is None:
        return
    end = end_s // step_s
    batch = files.load([demand], end - int(28 * DAY_S // step_s), end, step_s)
    why = next((words for place, words in files.errors.items() if place.endswith(f"series {demand.query}")), None)
    known = np.flatnonzero(np.isfinite(batch.values[0]))
    if why is not None or not len(known):
        notes.fail("presence", why or f"{demand.query} has no value in the recording", "mend query, or the file")
        return
    last_s = float((batch.first_step + int(known[-1]) + 1) * step_s)
    if end_s - last_s > load.max_data_age_s:
        notes.warn("fresh", f"its newest value is {span_text(end_s - last_s)} before the end of the recording")
    tell_length(notes, float((batch.first_step + int(known[0])) * step_s), float(end_s))
    day = batch.values[0][-int(DAY_S // step_s) :]
    if demand.capacity_per_replica is None:
        tell_unknown_capacity(notes)
    tell_day(notes, day[np.isfinite(day)], len(day), demand, load)
