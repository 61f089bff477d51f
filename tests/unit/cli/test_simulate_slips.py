"""`foresail simulate`: a slip in an option is answered by its name, with the way out."""

import pytest

from tests.unit.cli.recorded import AUTOSCALER


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "either --trace FILE, or --prometheus URL --query QUERY"),
        (("--trace", "web.csv", "--prometheus", "http://x"), "either --trace FILE, or --prometheus"),
        (("--trace", "web.csv", "--query", "x"), "--query needs --prometheus URL"),
        (("--trace", "web.csv", "--since", "1d"), "--since needs --prometheus URL"),
        (("--prometheus", "http://x", "--column", "x"), "--column needs --trace FILE"),
        (("--trace", "web.csv", "--censored-query", "x"), "--censored-query needs --prometheus URL"),
        (("--trace", "web.csv", "--censored-column", "x"), "no column 'x'. Columns are 'ts', 'value'"),
        (("--prometheus", "http://x", "--censored-column", "x"), "--censored-column needs --trace FILE"),
        (("--prometheus", "http://x"), "--prometheus needs --query"),
        (("--prometheus", "x:9090", "--query", "up"), "--prometheus x:9090: source prometheus: the URL needs http://"),
        (
            ("--prometheus", "http://me:hush@x", "--query", "up"),
            "foresail: --prometheus x: source prometheus: no user or password in the URL",
        ),
        (("--prometheus", "http://x", "--query", "up", "--since", "soon"), "--since 'soon' is not a duration"),
        (("--trace", "web.csv", "--risk", "0.5"), "--risk '0.5': a risk of 50 % of the time short of capacity is"),
        (("--trace", "web.csv", "--risk", "21%"), "the limit is 20 %"),
        (("--trace", "web.csv", "--risk", "0"), "a risk of zero"),
        (("--trace", "web.csv", "--risk", "nan"), "--risk 'nan'"),
        (("--trace", "web.csv", "--capacity", "0"), "--capacity 0 must be a positive number"),
        (("--trace", "web.csv", "--capacity", "nan"), "--capacity nan must be a positive number"),
        (("--trace", "web.csv", "--lead", "soon"), "--lead 'soon' is not a duration; write e.g."),
        (("--trace", "web.csv", "--lead", "p95=90s"), "--lead 'p95=90s': p50 is missing; write \"p50=90s,p95=240s\""),
        (("--trace", "web.csv", "--lead", "p50=90s"), "p95 is missing; write"),
        (("--trace", "web.csv", "--lead", "p50=9m,p95=4m"), "p95 is below p50, but 95 % of the replicas cannot be"),
        (("--trace", "web.csv", "--lead", "p50=90s,p99=240s"), "'p99=240s' is neither p50=… nor p95=…, each once"),
        (("--trace", "web.csv", "--lead", "p50=1s,p50=2s"), "'p50=2s' is neither p50=… nor p95=…, each once"),
        (("--trace", "web.csv", "--lead", "90s,240s"), "'90s' is neither p50=… nor p95=…"),
        (("--trace", "web.csv", "--lead", "p50=soon,p95=9m"), "--lead p50 'soon' is not a duration"),
        (("--trace", "web.csv", "--lead", "p50=0s,p95=9m"), "a median of zero has no spread"),
        (("--trace", "web.csv", "--lead", "p50=1h,p95=25h"), "--lead p95 '25h' is longer than 24 hours"),
        (("--trace", "web.csv", "--spare-nodes", "1"), "--spare-nodes needs --node-replicas"),
        (("--trace", "web.csv", "--node-ready", "90s"), "--node-ready needs --node-replicas"),
        (("--trace", "web.csv", "--node-replicas", "0"), "--node-replicas 0 must be 1 to 10,000"),
        (("--trace", "web.csv", "--node-replicas", "8", "--spare-nodes", "-1"), "--spare-nodes -1 must be 0 to 10,000"),
        (("--trace", "web.csv", "--node-replicas", "8", "--node-ready", "x"), "--node-ready 'x' is not a duration"),
        (
            ("--trace", "web.csv", "--node-replicas", "8", "--node-ready", "25h"),
            "--node-ready '25h' is longer than 24 hours",
        ),
        (("--trace", "web.csv", "--data-delay", "x"), "--data-delay 'x' is not a duration"),
        (("--trace", "web.csv", "--actuation-delay", "-5s"), "--actuation-delay '-5s' is not a duration"),
        (("--trace", "web.csv", "--warmup", "x"), "--warmup 'x' is not a duration"),
        (("--trace", "web.csv", "--lead", "3d"), "--lead '3d' is longer than 24 hours, the most that it takes"),
        (("--trace", "web.csv", "--step", "1d1s"), "--step '1d1s' is longer than 24 hours"),
        (("--trace", "web.csv", "--step", "0.5s"), "--step '0.5s'"),
        (("--trace", "web.csv", "--step", "60s"), "step of 60 s is finer than the file"),
        (("--prometheus", "http://x", "--query", "up", "--step", "1s"), "--since 30d: 2,592,000 steps of 1 s, above"),
        (("--trace", "web.csv", "--actuation", "KedaFloor"), "--actuation 'KedaFloor' is not known; use Scale or"),
        (("--trace", "web.csv", "--hpa-target", "80"), "--hpa-target needs --actuation HpaFloor"),
        (("--trace", "web.csv", "--actuation", "HpaFloor", "--hpa-target", "0"), "a percentage from 1 to 100"),
        (("--trace", "web.csv", "--min", "5", "--max", "4"), "--min 5 and --max 4 must keep 1 ≤ min ≤ max"),
        (("--trace", "web.csv", "--min", "0"), "must keep 1 ≤ min"),
        (("--trace", "web.csv", "--start-failure", "150%"), "--start-failure '150%' is not a share of replicas"),
        (("--trace", "web.csv", "--start-failure", "few"), "--start-failure 'few' is not a share"),
        (("--trace", "web.csv", "-o", "html"), "--output 'html' is not known; use table, json or yaml"),
        (("--trace", "web.csv", "--out", "rows.txt"), "its name must end in .parquet, .pq, .csv"),
        (("--trace", "web.csv", "--out", "new/rows.txt"), "its name must end in .parquet, .pq, .csv"),
        (
            ("--trace", "web.csv", "--out", "web.csv/rows.csv"),
            "--out web.csv: no folder can be made there (File exists)",
        ),
        (("--trace", "web.csv", "--warmup", "0s"), "there is no warm-up (--warmup 0s) to derive a capacity from; pass"),
        (("--trace", "web.csv", "--config", "nope.yaml"), "--config nope.yaml: cannot be read (No such file"),
        (("--trace", "web.csv", "--config", "two.yaml"), "holds 2 PredictiveAutoscalers; one is simulated at a time"),
        (("--trace", "web.csv", "--config", "demands.yaml"), "has several demands (requests, jobs)"),
        (("--trace", "web.csv", "--config", "broken.yaml"), "broken.yaml:"),
    ],
)
def test_a_slip_in_an_option_is_answered_by_name(foresail, web, tmp_path, args, words):
    (tmp_path / "two.yaml").write_text(AUTOSCALER + "---\n" + AUTOSCALER.replace("name: web", "name: api"))
    (tmp_path / "broken.yaml").write_text(AUTOSCALER.replace("max: 40", "max: many"))
    more = '{name: jobs, source: prod, query: "y", capacity: {perReplica: "8"}}]'
    (tmp_path / "demands.yaml").write_text(AUTOSCALER.replace('"8"}}]', '"8"}}, ' + more))
    said = foresail("simulate", *args)
    assert said.code == 2
    assert words in said.err
    assert not said.out
    assert not (tmp_path / "new").exists()
