"""`foresail pause` and `resume`: in a cluster they write; without one they say which file of --policies to write."""

from __future__ import annotations

import io
import json
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from autoscaler.cli.cluster_choice import ClusterOptions, is_plugin
from autoscaler.cli.inputs import moment, output_kind, seconds
from autoscaler.domain.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscaler.bootstrap.onlooker import Onlooker
    from autoscaler.bootstrap.pausing import Done
    from autoscaler.spec.policy_of_pause import Stop, Whom

LEAST_S = 60.0


@dataclass(frozen=True, slots=True)
class PauseOptions:
    """As typed. reason to direction: of a pause alone."""

    workloads: tuple[str, ...]
    everything: bool
    by: str | None
    force: bool
    output: str
    reason: str = ""
    until: str | None = None
    span: str | None = None
    open_ended: bool = False
    direction: str = "Both"


def pause_now(options: PauseOptions, cluster: ClusterOptions) -> None:
    from autoscaler.bootstrap.pausing import Pauses

    output_kind(options.output)
    now = datetime.now(UTC)
    end = _end(options, now)
    if not (cluster.named or is_plugin()):
        _write_files(options, cluster, end)
        return
    with closing(_opened(cluster)) as view:
        by = _who(options, view)
        stop = _stop(options, by, end)
        pauses = Pauses(view, by, now, options.force)
        _tell(options, [_valid(lambda one=one: pauses.pause(one, stop)) for one in _whom(options, cluster, view)])


def resume_now(options: PauseOptions, cluster: ClusterOptions) -> None:
    from autoscaler.bootstrap.pausing import Pauses

    output_kind(options.output)
    if not (cluster.named or is_plugin()):
        names = ", ".join(f"{one.policy_name}.yaml" for one in _whom(options, cluster, None))
        raise Refused(
            "no cluster is named (--kubeconfig FILE, --context NAME, or kubectl foresail). Of files: delete "
            f"{names} from the folder that --policies names; it is over at the next tick"
        )
    with closing(_opened(cluster)) as view:
        pauses = Pauses(view, _who(options, view), datetime.now(UTC), options.force)
        done = [pauses.resume(one) for one in _whom(options, cluster, view)]
    _tell(options, done)
    if any(one.what == "unpaused" for one in done):
        raise SystemExit(1)


def _opened(cluster: ClusterOptions) -> Onlooker:
    from autoscaler.cli.get_cluster import onlooker

    return onlooker(cluster)


def _end(options: PauseOptions, now: datetime) -> datetime | None:
    """When it is over; None = --open-ended."""
    given = [name for name, value in (("--until", options.until), ("--for", options.span)) if value is not None]
    given += ["--open-ended"] if options.open_ended else []
    if len(given) != 1:
        said = "say when it ends" if not given else f"{' and '.join(given)} say different things"
        raise Refused(f"{said}: one of --for 2h, --until MOMENT, or --open-ended (a namespace or --all)")
    if options.open_ended:
        return None
    until = moment("--until", options.until)
    if until is None:
        return (now + timedelta(seconds=seconds("--for", str(options.span), least=LEAST_S))).replace(microsecond=0)
    if until <= now:
        raise Refused(f"--until {options.until} is over already; it is {now:%Y-%m-%dT%H:%M:%SZ}")
    return until


def _stop(options: PauseOptions, by: str, end: datetime | None) -> Stop:
    from autoscaler.domain.workload import PauseDirection
    from autoscaler.spec.policy_of_pause import Stop

    if not options.reason.strip():
        raise Refused("--reason is empty; say why, as others will read it")
    known = {each.value.lower(): each for each in PauseDirection}
    if options.direction.lower() not in known:
        raise Refused(
            f"--direction {options.direction!r} is not known; use {', '.join(d.value for d in PauseDirection)}"
        )
    return Stop(by, options.reason.strip(), end, known[options.direction.lower()])


def _who(options: PauseOptions, view: Onlooker) -> str:
    by = options.by or view.who()
    if not by:
        raise Refused("the API server does not say who you are; say it with --by")
    return by


def _whom(options: PauseOptions, cluster: ClusterOptions, view: Onlooker | None) -> Sequence[Whom]:
    from autoscaler.spec.policy_of_pause import Whom

    if options.everything:
        if options.workloads or cluster.namespace:
            raise Refused("--all is everything: leave names and -n out")
        return [Whom()]
    if options.workloads:
        return [_named(text, cluster, view) for text in dict.fromkeys(options.workloads)]
    if cluster.namespace:
        return [Whom(cluster.namespace)]
    raise Refused("name workloads (NAMESPACE/NAME), a namespace with -n, or say --all")


def _named(text: str, cluster: ClusterOptions, view: Onlooker | None) -> Whom:
    from autoscaler.spec.policy_of_pause import Whom

    if view is not None:
        ref = view.named(text)
        return Whom(ref.namespace, ref.name)
    namespace, _, name = text.rpartition("/")
    if not (namespace or cluster.namespace):
        raise Refused(f"{text!r}: write NAMESPACE/NAME")
    return Whom(namespace or str(cluster.namespace), name)


def _valid(act: Any) -> Any:
    """Words that are no valid field, such as a reason of two lines, are a slip of who typed them."""
    from pydantic import ValidationError

    try:
        return act()
    except ValidationError as error:
        first = error.errors()[0]
        raise Refused(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _tell(options: PauseOptions, done: Sequence[Done]) -> None:
    if options.output == "json":
        told = [{"whom": d.whom.words, "what": d.what, "object": d.how, "words": d.words} for d in done]
        print(json.dumps(told, indent=2))  # noqa: T201
        return
    for one in done:
        where = f" ({one.how})" if one.how else ""
        what = "not resumed" if one.what == "unpaused" else one.what
        print(f"{one.whom.words}: {what}{where}: {one.words}")  # noqa: T201
    if any(one.what == "paused" for one in done):
        print("In force at the operator's next tick; replicas and floors stay as they are.")  # noqa: T201


def _write_files(options: PauseOptions, cluster: ClusterOptions, end: datetime | None) -> None:
    """Documents for the folder of --policies on stdout, and what to do with them on stderr."""
    from ruamel.yaml import YAML

    from autoscaler.spec.policy_of_pause import policy_of

    if not options.by:
        raise Refused("without a cluster nobody says who you are; say it with --by")
    stop = _stop(options, options.by, end)
    made = [_valid(lambda one=one: policy_of(one, stop)) for one in _whom(options, cluster, None)]
    if options.output == "json":
        print(json.dumps(made, indent=2))  # noqa: T201
    else:
        text = io.StringIO()
        YAML().dump_all(made, text)
        print(text.getvalue(), end="")  # noqa: T201
    names = ", ".join(f"{one['metadata']['name']}.yaml" for one in made)
    print(  # noqa: T201
        f"foresail: no cluster is named, so nothing is paused yet: write this as {names} into the folder that "
        "--policies of `foresail run` names; it is in force at the next tick, and over when the file is deleted",
        file=sys.stderr,
    )
