"""The face of the command: quick help, clear errors, exit codes that scripts can rely on."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from autoscaler.cli.app import app, main
from autoscaler.cli.order import ORDER
from autoscaler.domain.errors import InvalidSpec, Problem, SourceDown

HEAVY = {
    "numpy",
    "pandas",
    "jinja2",
    "pydantic",
    "ruamel",
    "sqlalchemy",
    "matplotlib",
    "starlette",
    "rich",
    "prometheus_client",
}
COMMANDS = (
    "advise",
    "demo",
    "simulate",
    "report",
    "backtest",
    "run",
    "once",
    "operator",
    "explain",
    "history",
    "export",
    "get",
    "doctor",
    "pause",
    "resume",
    "release",
    "train",
    "capacity",
    "outlook",
    "crds",
)


def test_help_loads_nothing_heavy():
    loaded = (
        "import sys\nfrom autoscaler.cli.app import main\nsys.argv = ['foresail', '--help']\n"
        "try:\n    main()\nfinally:\n    print(sorted({m.split('.')[0] for m in sys.modules}), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    names = set(ran.stderr.strip("[]\n").replace("'", "").split(", "))
    assert "typer" in names
    assert not names & HEAVY


def test_help_answers_before_a_reader_gets_impatient():
    """In processor time, which other work on the machine does not stretch; best of five."""
    command = [str(Path(sys.executable).with_name("foresail")), "--help"]
    taken = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if taken[-1] < 0.3:
            return
    pytest.fail(f"best of five took {min(taken):.2f} s")


def test_commands_stand_in_the_order_of_their_use(foresail):
    listed = foresail("--help").out.partition("Commands:")[2].splitlines()
    named = [line.split()[0] for line in listed if line.startswith("  ") and line[2] != " "]
    assert named[:3] == ["demo", "advise", "report"]
    assert set(COMMANDS) <= set(named) <= set(ORDER)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(foresail, command):
    said = foresail(command, "--help")
    assert said.code == 0
    assert f"foresail {command}" in said.out


def test_the_commands_listed_here_are_all_there_are():
    assert {c.callback.__name__ for c in app.registered_commands if c.callback} == set(COMMANDS)


def test_version(foresail):
    said = foresail("--version")
    assert (said.code, said.out.split()[0]) == (0, "foresail")


@pytest.mark.parametrize("args", [("no-such-command",), ("once", "--no-such-option"), ("explain",), ()])
def test_wrong_usage_is_exit_2(foresail, args):
    assert foresail(*args).code == 2


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (SourceDown("prometheus does not answer"), 3, "foresail: prometheus does not answer\n"),
        (InvalidSpec((Problem("a.yaml", 1, 2, "spec", "is wrong"), Problem("b.yaml", 3, 4, "", "too"))), 2,
         "foresail: nothing was done, as the files have problems:\na.yaml:1:2: spec: is wrong\nb.yaml:3:4: too\n"),
        (ModuleNotFoundError("No module named 'sqlalchemy'", name="sqlalchemy"), 2,
         ("foresail: sqlalchemy is not installed; pip install './foresail[server]' beside a checkout, or "
          "'FILE.whl[server]', brings it\n")),
    ],
)  # fmt: skip
def test_errors_of_ours_are_words_and_an_exit_code(monkeypatch, capsys, error, code, words):
    def fails() -> None:
        raise error

    monkeypatch.setattr("autoscaler.cli.app.app", fails)
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == code
    assert capsys.readouterr().err == words


@pytest.mark.parametrize("error", [ZeroDivisionError("a bug"), ModuleNotFoundError("x", name="autoscaler.gone")])
def test_a_bug_of_ours_keeps_its_stack_trace(monkeypatch, error):
    def fails() -> None:
        raise error

    monkeypatch.setattr("autoscaler.cli.app.app", fails)
    with pytest.raises(type(error)):
        main()
