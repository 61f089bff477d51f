"""`foresail policy test`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from autoscaler.domain.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscaler.bootstrap.policies_cases import CaseResult


def run_test(paths: tuple[Path, ...], output: str, junit: Path | None) -> None:
    """Print what holds and what does not; exit code 1 if something does not."""
    from autoscaler.bootstrap.policies_cases import run_cases

    if output not in {"table", "json"}:
        raise Refused(f"--output {output!r} is not known; use table or json")
    results = list(run_cases(paths))
    failed = [r for r in results if r.failures]
    if output == "json":
        told = [
            {"suite": r.suite, "name": r.name, "place": r.place, "ok": not r.failures, "failures": list(r.failures)}
            for r in results
        ]
        print(json.dumps(told, indent=2))  # noqa: T201
    else:
        for r in results:
            print(f"{'ok  ' if not r.failures else 'FAIL'}  {r.suite}: {r.name}")  # noqa: T201
            for failure in r.failures:
                print(f"      {r.place}: {failure}")  # noqa: T201
        print(f"{len(results) - len(failed)} hold, {len(failed)} do not")  # noqa: T201
    if junit is not None:
        try:
            junit.write_bytes(junit_xml(results))
        except OSError as error:
            raise Refused(f"--junit {junit}: cannot be written ({error.strerror}); name another file") from None
    if failed:
        raise SystemExit(1)


def junit_xml(results: Sequence[CaseResult]) -> bytes:
    """The XML that CI systems read: a suite per test file's name, a failure with all of its sentences."""
    root = Element("testsuites")
    suites: dict[str, Element] = {}
    for r in results:
        if r.suite not in suites:
            mine = [s for s in results if s.suite == r.suite]
            failures = str(sum(bool(s.failures) for s in mine))
            suites[r.suite] = SubElement(root, "testsuite", name=r.suite, tests=str(len(mine)), failures=failures)
        file, _, line = r.place.rpartition(":")
        case = SubElement(
            suites[r.suite], "testcase", name=r.name, classname=r.suite, time=f"{r.seconds:.4f}", file=file, line=line
        )
        if r.failures:
            SubElement(case, "failure", message=r.failures[0]).text = "\n".join(r.failures)
    indent(root)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root)
