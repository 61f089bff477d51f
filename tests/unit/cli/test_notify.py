"""`foresail notify test`: what it says and how it ends where nobody answers or something is typed wrong."""

import subprocess
import sys
from typing import Any

import pytest


def notify(*args: Any) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "autoscaler", "notify", "test", *args],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_nobody_there_ends_with_3_and_says_so():
    code, out, _ = notify("--alertmanager", "http://127.0.0.1:1", "-o", "json")
    assert code == 3
    assert '"result": "later"' in out
    assert "did not take the test alert: connection refused" in out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "name where alerts go: --alertmanager http://alertmanager:9093"),
        (("--alertmanager", "am:9093"), "--alertmanager am:9093: "),
        (("--alertmanager", "http://x", "--alertmanager-user", "me"), "basic auth needs both"),
        (("--alertmanager", "http://x", "--for", "soon"), "--for 'soon'"),
        (("--alertmanager", "http://x", "--alertmanager-ca-file", "/no/ca.pem"), "CA file /no/ca.pem is not there"),
        (("--alertmanager-user", "me"), "name where alerts go"),
        (
            ("--alertmanager", "http://127.0.0.1:1", "--docs-url", "git.example.com/docs"),
            "--docs-url 'git.example.com/docs'",
        ),
        (("--alertmanager", "http://127.0.0.1:1", "--docs-url", "https://x/a?b=c"), "write https://HOST/PATH"),
    ],
)
def test_a_slip_ends_with_2_and_the_way_out(args, words):
    code, out, err = notify(*args)
    assert (code, out) == (2, "")
    assert words in err
