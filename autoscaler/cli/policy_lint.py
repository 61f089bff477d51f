"""`foresail policy lint` and `policy schema`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from autoscaler.cli.inputs import folder, moment
from autoscaler.domain.errors import Refused


def run_lint(paths: tuple[Path, ...], site: str | None, at: str | None, output: str, fail_on: str) -> None:
    """Print the findings; exit code 1 if there is one of the level or worse."""
    from autoscaler.bootstrap.policies_lint import lint
    from autoscaler.reporting.lint import Level, as_dicts, as_sarif, summary

    if output not in {"table", "json", "sarif"}:
        raise Refused(f"--output {output!r} is not known; use table, json or sarif")
    if fail_on not in {"error", "warning"}:
        raise Refused(f"--fail-on {fail_on!r} is not known; use error or warning")
    found = lint(paths, moment("--at", at) or datetime.now(UTC), site)
    if output == "json":
        print(json.dumps(as_dicts(found), indent=2))  # noqa: T201
    elif output == "sarif":
        print(json.dumps(as_sarif(found), indent=2))  # noqa: T201
    else:
        print("\n".join([*map(str, found), summary(found)]))  # noqa: T201
    failing = {Level.ERROR} if fail_on == "error" else {Level.ERROR, Level.WARNING}
    if any(f.level in failing for f in found):
        raise SystemExit(1)


REFERENCE_KINDS = ("GuardPolicy", "GuardPolicyTest")


def print_reference(kind: str | None) -> None:
    """Markdown of one kind, or of the kinds of policies."""
    from autoscaler.spec.reference import reference

    _check_kind(kind)
    print(reference(kind) if kind else reference_page(), end="")  # noqa: T201


def reference_page() -> str:
    """docs/policies-reference.md: the kinds of policies, and what guards can enforce."""
    from autoscaler.reporting.enforcement import enforcement_table
    from autoscaler.spec.reference import reference

    return reference(*REFERENCE_KINDS) + "\n" + "\n".join(enforcement_table()) + "\n"


def _check_kind(kind: str | None) -> None:
    from autoscaler.spec.schema import SCHEMAS
    from autoscaler.spec.words import did_you_mean

    if kind is not None and kind not in SCHEMAS:
        raise Refused(f"no kind {kind!r}; {did_you_mean(kind, SCHEMAS, 'kinds')}")


def print_schema(kind: str | None, out: Path | None) -> None:
    """One kind on standard output, or files in a folder."""
    from autoscaler.spec.schema import SCHEMAS, json_schema

    _check_kind(kind)
    if out is None:
        print(json.dumps(json_schema(kind or "GuardPolicy"), indent=2))  # noqa: T201
        return
    folder("--out", out)
    for name in [kind] if kind else sorted(SCHEMAS):
        place = out / f"{name}.json"
        try:
            place.write_text(json.dumps(json_schema(name), indent=2) + "\n")
        except OSError as error:
            raise Refused(f"--out {place}: cannot be written ({error.strerror}); name another folder") from None
        print(place)  # noqa: T201
