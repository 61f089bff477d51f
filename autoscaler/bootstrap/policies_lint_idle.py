"""What a policy's own text shows to limit nothing, or far more than is usually meant; whoever it selects."""

from __future__ import annotations

from collections.abc import Iterator

from autoscaler.reporting.lint import Level, LintFinding, at_origin
from autoscaler.spec.policy_match import PlacedPolicy

HIGH_UPLIFT = 10.0
"""From here on a factor is likelier a slip of the point than a campaign."""


def idle_findings(policy: PlacedPolicy) -> Iterator[LintFinding]:
    """Acknowledgements of nothing, limits that bind nothing, stops without an end, factors that are slips."""
    for word in policy.model.spec.idle_words:
        words = f"{word} acknowledges nothing that is written here: the next edit that does will pass unsaid"
        yield at_origin(Level.WARNING, "idle", policy.origin("acknowledge"), words, "remove it")
    behavior = policy.limits.behavior
    for name, rule in (("scaleUp", behavior.scale_up), ("scaleDown", behavior.scale_down)) if behavior else ():
        if rule is None:
            continue
        if rule.stabilization_window_seconds == 0:
            origin = policy.origin("limits", "behavior", name, "stabilizationWindowSeconds")
            words = "a stabilisation of 0 s limits nothing: of several the longest counts"
            yield at_origin(Level.WARNING, "idle", origin, words, "write it in defaults, or remove it")
        if name == "scaleDown" and rule.select_policy == "Disabled":
            origin = policy.origin("limits", "behavior", name, "selectPolicy")
            words = "nothing that it selects ever shrinks, and nothing ends that"
            remedy = "to stop on purpose, write a pause or a freeze, which have an end"
            yield at_origin(Level.WARNING, "risky", origin, words, remedy)
    for window in policy.windows:
        if window.uplift >= HIGH_UPLIFT:
            words = f"{window.name} expects {window.uplift:g} times the demand that is forecast"
            remedy = f"did you mean {window.uplift / 10:g}? write a floor where the number of replicas is known"
            yield at_origin(Level.WARNING, "risky", window.origin, words, remedy)
