"""`foresail policy`: what is wrong with policies, what they mean for a workload, what an edit changes, their tests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

policy = typer.Typer(
    help="Guard policies: lint, explain, test and compare them before they are in force.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Paths = Annotated[list[Path], typer.Argument(help="YAML files or folders: policies, and workloads to check them with.")]
Site = Annotated[str | None, typer.Option(help="Site that we would run in, for selectors.")]
At = Annotated[str | None, typer.Option(help="As of this moment, RFC 3339 with a zone (default: now).")]


@policy.command()
def lint(
    paths: Paths,
    site: Site = None,
    at: At = None,
    output: Annotated[str, typer.Option("--output", "-o", help="table, json or sarif.")] = "table",
    fail_on: Annotated[str, typer.Option(help="Exit with 1 from this level on: error or warning.")] = "warning",
) -> None:
    """Say what is wrong with policies and the queries of workloads, with file and line; asks no server.

    Exit code 0: nothing of the level; 1: findings, a broken file among them; 2: a slip in the command.
    """
    from autoscaler.cli.policy_lint import run_lint

    run_lint(tuple(paths), site, at, output, fail_on)


@policy.command()
def schema(
    kind: Annotated[str | None, typer.Argument(help="One kind; without: with --out all of them.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write KIND.json into.")] = None,
    reference: Annotated[bool, typer.Option("--reference", help="A page of Markdown for people instead.")] = False,
) -> None:
    """JSON Schema of the kinds that people write, for editors."""
    from autoscaler.cli.policy_lint import print_reference, print_schema

    if reference:
        print_reference(kind)
    else:
        print_schema(kind, out)


@policy.command()
def explain(
    workload: Annotated[str, typer.Argument(help="NAMESPACE/NAME of a PredictiveAutoscaler, or NAME.")],
    paths: Paths,
    site: Site = None,
    at: At = None,
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
) -> None:
    """Which rule of which file sets each limit of a workload, and what changes within a week and later."""
    from autoscaler.cli.policy_explain import run_explain

    run_explain(workload, tuple(paths), site, at, output)


@policy.command("test")
def check(
    paths: Annotated[list[Path], typer.Argument(help="Files *_test.yaml, or folders with such.")],
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
    junit: Annotated[Path | None, typer.Option(help="Write results as JUnit XML into this file.")] = None,
) -> None:
    """Check what policies promise: given demand and forecast, expected replicas, holds and reasons. Offline.

    Exit code 0: all promises hold; 1: one does not; 2: a slip in the command, a broken file, no test.
    """
    from autoscaler.cli.policy_cases import run_test

    run_test(tuple(paths), output, junit)


@policy.command()
def diff(
    old: Annotated[Path, typer.Argument(help="Policies as they are: file, folder, or REVISION:PATH of git.")],
    new: Annotated[Path, typer.Argument(help="The same as they shall be.")],
    workloads: Annotated[list[Path] | None, typer.Option(help="Files or folders with the workloads (repeat).")] = None,
    site: Site = None,
    trace: Annotated[Path | None, typer.Option(help="Recorded demand (CSV or Parquet) to simulate both on.")] = None,
    prometheus: Annotated[str | None, typer.Option(help="Instead of --trace: URL of a source to ask for it.")] = None,
    query: Annotated[str | None, typer.Option(help="With --prometheus (default: the workload's own).")] = None,
    since: Annotated[
        str | None, typer.Option(help="How far back to ask, e.g. 7d; alone: the workload's own MetricsSource.")
    ] = None,
    workload: Annotated[str | None, typer.Option(help="Whose demand it is.")] = None,
    fail_on: Annotated[str, typer.Option(help="Exit with 1 on any change, or on risky ones not acknowledged.")] = (
        "change"
    ),
    output: Annotated[str, typer.Option("--output", "-o", help="table or json.")] = "table",
) -> None:
    """What an edit changes, for which workloads, and with recorded demand what it would have cost and left short.

    Exit code 0: nothing changes (or nothing risky); 1: something does; 2: a slip, a broken file; 3: no source answers.
    """
    from autoscaler.cli.policy_diff import Simulated, run_diff

    simulated = Simulated(workload, trace, prometheus, query, since)
    run_diff((old, new), tuple(workloads or ()), site, simulated, fail_on=fail_on, output=output)
