"""P03: a window that lint calls idle changes no min and no max, at any moment of the year, also asked for ahead."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.bootstrap.policies_lint_windows import Meet, window_findings
from autoscaler.domain.policy import Guarded, Origin
from autoscaler.spec import parse_text
from autoscaler.spec.policy_match import PlacedPolicy

NOW_S = datetime(2026, 3, 20, tzinfo=UTC).timestamp()  # before summer time begins, so that it is in the way


def always(*_: PlacedPolicy) -> bool:
    return True


SAME = Meet(always, always)

hours = st.sampled_from(["00:00", "02:30", "06:00", "08:00", "12:00", "20:00", "23:00"])
days = st.lists(st.sampled_from(["Mon", "Tue", "Sat", "Sun"]), min_size=1, max_size=4, unique=True)
weekly = st.builds(
    '{{weekly: {{days: [{}], from: "{}", to: "{}", timeZone: {}}}}}'.format,
    days.map(", ".join), hours, hours, st.sampled_from(["Europe/Berlin", "Europe/London", "America/New_York"]),
)  # fmt: skip
once = st.builds(
    '{{once: {{from: "2026-0{}-01T00:00:00Z", until: "2026-0{}-15T00:00:00Z"}}}}'.format,
    st.sampled_from("456"), st.sampled_from("678"),
)  # fmt: skip
bounds = st.sampled_from(["min: 3", "min: 5", "max: 30", "max: 20", "min: 3, max: 20", "min: 5, max: 30"])
rules = st.lists(st.tuples(bounds, st.one_of(weekly, once)), min_size=1, max_size=4)
plain = st.sampled_from(["", "replicas: {min: 4}, ", "replicas: {max: 25}, ", "replicas: {min: 3, max: 20}, "])
moments = st.lists(st.integers(0, 300 * 24 * 12), min_size=40, max_size=40)


def policy(fixed: str, windows: list[tuple[str, str]]) -> PlacedPolicy:
    listed = ", ".join(f"{{name: w{k}, {said}, when: {when}}}" for k, (said, when) in enumerate(windows))
    text = (
        "apiVersion: foresail.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {name: p}\nspec:\n"
        f"  selector: {{namespaces: [shop]}}\n  limits: {{{fixed}schedule: [{listed}]}}\n"
    )
    (found,) = parse_text(text, "p.yaml").policies
    return found


def limits(one: PlacedPolicy, without: str, moment_s: float, ahead_s: float) -> tuple[int, int]:
    """Min and max as a tick has them, of a workload from 1 to 100."""
    least, most = 1, 100
    if one.limits.replicas is not None:
        least, most = one.limits.replicas.min or least, one.limits.replicas.max or most
    windows = tuple(w for w in one.windows if w.origin.rule != without)
    anybody = Origin("GuardPolicy p", "limits.replicas")
    guarded = Guarded(windows=windows, origins=(("min", anybody), ("max", anybody)))
    (low, _), (high, _) = guarded.limits_at(moment_s, ahead_s, (least, most))
    return low, high


@settings(max_examples=80, deadline=None)
@given(plain, rules, moments, st.sampled_from([0.0, 300.0, 7200.0]))
def test_P03_what_is_called_idle_changes_nothing(fixed, windows, at, ahead_s):
    one = policy(fixed, windows)
    for finding in window_findings([one], SAME, NOW_S):
        assert finding.rule == "unreachable"
        for five_minutes in at:
            moment_s = NOW_S + five_minutes * 300.0
            assert limits(one, finding.path, moment_s, ahead_s) == limits(one, "", moment_s, ahead_s), finding
