"""Options of `foresail advise`: each slip is refused before anything is asked, with the option and a way out."""

import pytest

URL = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--prometheus", "prometheus:9090"), "--prometheus is not an http or https URL"),
        (("--prometheus", "http://me:secret@prometheus"), "--prometheus has credentials"),
        (("--prometheus", f"{URL}/api/v1/query"), "--prometheus names the API inside the server"),
        (("--prometheus", URL, "--days", "40"), "--days 40 lies outside of 4 … 28"),
        (("--prometheus", URL, "--risk", "50%"), "--risk '50%'"),
        (("--prometheus", URL, "--lead", "soon"), "--lead 'soon' is not a duration"),
        (("--prometheus", URL, "--lead", "3d"), "--lead '3d' is longer than 24 hours"),
        (("--prometheus", URL, "--lead", "p50=90s"), "p95 is missing; write"),
        (("--prometheus", URL, "--step", "45s"), "--step 45s is not one of 15s, 30s, 60s, 300s"),
        (("--prometheus", URL, "--at", "yesterday"), "--at 'yesterday' is not a moment"),
        (("--prometheus", URL, "--at", "2099-01-01T00:00:00Z"), "lies ahead"),
        (("--prometheus", URL, "--match", "prod"), "--match 'prod' is not LABEL=VALUE"),
        (("--prometheus", URL, "--header", "X-Scope-OrgID"), "--header 'X-Scope-OrgID' has no colon"),
        (("--prometheus", URL, "--user", "me"), "--user and --password-file go together"),
        (("--prometheus", URL, "--workers", "0"), "--workers 0"),
        (("--prometheus", URL, "-o", "html"), "--output 'html' is not known"),
        (("--prometheus", URL, "--queries", "none.yaml"), "none.yaml: cannot be read"),
        (
            ("--prometheus", URL, "--kubeconfig", "none.yaml"),
            "kubeconfig none.yaml cannot be used: there is no such file",
        ),
    ],
)
def test_a_slip_is_refused_with_its_option(foresail, args, words):
    said = foresail("advise", *args)
    assert (said.code, said.out) == (2, "")
    assert words in said.err


def test_a_credential_in_a_header_is_refused_and_never_repeated(foresail):
    said = foresail("advise", "--prometheus", URL, "--header", "Authorization: Bearer s3cr3t")
    assert said.code == 2
    assert "--header Authorization" in said.err
    assert "s3cr3t" not in said.err


def test_a_bad_query_is_told_with_file_and_line(foresail, tmp_path):
    (tmp_path / "q.yaml").write_text("- name: web\n  query: avg(rate(x_total[1m]))\n")
    said = foresail("advise", "--prometheus", URL, "--queries", "q.yaml")
    assert said.code == 2
    assert "q.yaml:2:10: query:" in said.err


def test_nobody_there_is_exit_3(foresail):
    said = foresail("advise", "--prometheus", URL)
    assert said.code == 3
    assert "check that the URL is right" in said.err


def test_a_folder_that_was_not_there_is_said(foresail, tmp_path):
    said = foresail("advise", "--prometheus", URL, "--out", "ad/vice")
    assert said.code == 3
    assert said.err.startswith("foresail: --out: made the folder ad/vice\n")
    assert (tmp_path / "ad" / "vice").is_dir()
