"""An incident of anomalies as the story that an alert of it carries: numbers, course, why."""

from __future__ import annotations

import math

from autoscaler.domain.alert_story import (
    MOST_COMMAND,
    MOST_FIGURE,
    MOST_FIGURES,
    MOST_POINTS,
    MOST_SENTENCE,
    Course,
    Story,
)
from autoscaler.domain.alert_text import plain
from autoscaler.domain.incident import Evidence, Incident, Trail, short


def story_of(incident: Incident, did: str = "", next_step: str = "", command: str = "") -> Story:
    """did, next_step, command: what Foresail did or refused, and what may be done, by whoever knows; plain or not."""
    return Story(
        tuple(_figure(each) for each in incident.evidence[:MOST_FIGURES]),
        plain(incident.why, MOST_SENTENCE),
        plain(did, MOST_SENTENCE),
        plain(next_step, MOST_SENTENCE),
        plain(command, MOST_COMMAND),
        _course(incident.trails[0]) if incident.trails and incident.trails[0].observed else None,
    )


def _figure(each: Evidence) -> tuple[str, str]:
    observed = "unknown" if math.isnan(each.observed) else short(each.observed)
    expected = f", expected {short(each.expected)}" if math.isfinite(each.expected) else ""
    return plain(each.metric, MOST_FIGURE) or "metric", plain(f"{observed}{expected}", MOST_FIGURE)


def _course(trail: Trail) -> Course:
    """The newest points; what is expected only where it is known for each of them."""
    observed, expected = trail.observed[-MOST_POINTS:], trail.expected[-MOST_POINTS:]
    return Course(
        plain(trail.metric, MOST_FIGURE) or "metric",
        float(trail.step_s),
        observed,
        expected if len(expected) == len(observed) else (),
    )
