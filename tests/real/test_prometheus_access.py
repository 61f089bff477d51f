"""Rows M19 and M20 of the fault catalogue, and how else we get in: passwords, certificates, tenants, proxies."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from autoscaler.adapters.prometheus.client import PrometheusClient
from autoscaler.adapters.prometheus.faults import QueryFault
from autoscaler.adapters.prometheus.reader import PrometheusReader
from autoscaler.adapters.prometheus.settings import PrometheusSettings
from autoscaler.domain.series import DataVerdict
from tests.real.parts import require_program
from tests.real.prometheus import Prometheus
from tests.real.ticking import MINUTE, Loop, gauge, holds, readers, verdict_of
from tests.real.web import Answer

OPEN_SESAME = "$2b$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW"  # bcrypt of "open sesame"
OPEN_BARLEY = "$2b$05$abcdefghijklmnopqrstuu4T9X9l4PA9t3Zhkm1ND6N5yHrm6YNb2"  # bcrypt of "open barley"


@pytest.fixture
def now_s() -> int:
    """The newest whole minute: history that ends there is as fresh as can be."""
    return int(time.time()) // MINUTE * MINUTE


@pytest.fixture
def reader_of() -> Iterator[Callable[..., PrometheusReader]]:
    with readers() as make:
        yield make


def test_M19_a_rotated_password_is_read_again(prometheus, reader_of, now_s, tmp_path):
    server = prometheus(
        gauge(now_s, 120.0), web_config={"basic_auth_users": {"reader": OPEN_SESAME}}, auth=("reader", "open sesame")
    )
    secret = tmp_path / "password"
    secret.write_text("open sesame\n")
    reader = reader_of(server.url, basic_user="reader", basic_password_file=secret)
    loop = Loop(reader, ["sum(load_rps)"])
    assert loop.one(now_s).granted == 12

    web_config = server.data.parent / "web.json"  # read anew by Prometheus for each request
    web_config.write_text(json.dumps({"basic_auth_users": {"reader": OPEN_BARLEY}}))
    note = holds(loop.one(now_s + MINUTE), DataVerdict.REFUSED)
    assert "401" in note
    assert "open" not in note
    failures = reader.health.failures[DataVerdict.REFUSED]
    assert failures >= 1

    secret.write_text("open barley\n")
    loop = Loop(reader, ["sum(load_rps) / 2"])
    assert loop.one(now_s).granted == 6, "the new password is read and used within the same load"
    assert reader.health.failures[DataVerdict.REFUSED] == failures


def test_M19_no_password_ever_reaches_a_note_or_a_log(prometheus, reader_of, now_s, tmp_path, caplog):
    server = prometheus(
        gauge(now_s, 120.0), web_config={"basic_auth_users": {"reader": OPEN_SESAME}}, auth=("reader", "open sesame")
    )
    secret = tmp_path / "password"
    secret.write_text("quite wrong")
    reader = reader_of(server.url, basic_user="reader", basic_password_file=secret)
    caplog.set_level("DEBUG")
    decision = Loop(reader, ["sum(load_rps)"]).one(now_s)
    told = f"{holds(decision, DataVerdict.REFUSED)} {caplog.text} {reader.settings!r} {reader.health!r}"
    assert "quite wrong" not in told
    assert "Authorization" not in told


def test_M19_credentials_that_cannot_be_read_are_refused_before_anything_is_sent(fault_proxy, prometheus, tmp_path):
    proxy = fault_proxy(prometheus().url)
    faults = ((None, "No such file"), (b"", "is empty"), (b"a\nb", "more than one line"), (b"\xff", "no text"))
    for content, words in faults:
        token = tmp_path / "token"
        token.unlink(missing_ok=True)
        if content is not None:
            token.write_bytes(content)
        client = PrometheusClient(PrometheusSettings("prom", proxy.url, bearer_token_file=token))
        with pytest.raises(QueryFault) as refused:
            client.instant("vector(1)")
        assert refused.value.verdict == DataVerdict.REFUSED
        assert words in refused.value.note
        client.close()
    assert proxy.requests == []


class Authority:
    """A CA of the test's own, by openssl."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.certificate, self.key = folder / f"{name}.crt", folder / f"{name}.key"
        self._openssl("req", "-x509", "-days", "2", "-subj", f"/CN={name}", "-out", str(self.certificate), key=self.key)

    def sign(self, name: str, san: str = "DNS:localhost", usage: str = "serverAuth", *, expired: bool = False) -> Path:
        """The certificate's file; its key lies beside it, as .key."""
        made = self.folder / f"{name}.crt"
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={san}\nextendedKeyUsage={usage}\n")
        self._openssl("req", "-subj", f"/CN={name}", "-out", str(request), key=made.with_suffix(".key"))
        if not expired:
            signed = ["x509", "-req", "-in", str(request), "-days", "2", "-CAcreateserial"]
            signed += ["-CA", str(self.certificate), "-CAkey", str(self.key)]
            self._openssl(*signed, "-extfile", str(extensions), "-out", str(made))
            return made
        config = self.folder / "ca.cnf"
        (self.folder / "index.txt").write_text("")
        (self.folder / "serial").write_text("01\n")
        config.write_text(
            f"[ca]\ndefault_ca=d\n[d]\nnew_certs_dir={self.folder}\ndatabase={self.folder}/index.txt\n"
            f"serial={self.folder}/serial\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n"
        )
        signed = ["ca", "-batch", "-notext", "-config", str(config), "-cert", str(self.certificate)]
        signed += ["-keyfile", str(self.key), "-startdate", "20200101000000Z", "-enddate", "20200201000000Z"]
        self._openssl(*signed, "-extfile", str(extensions), "-in", str(request), "-out", str(made))
        return made

    @staticmethod
    def _openssl(*words: str, key: Path | None = None) -> None:
        openssl = require_program("openssl")
        new = (
            ["-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-keyout", str(key)] if key else []
        )
        subprocess.run([openssl, *words, *new], check=True, capture_output=True, timeout=30)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("unknown CA", "unable to get local issuer certificate"),
        ("expired", "certificate has expired"),
        ("wrong name", "certificate is not valid for 'localhost'"),
        ("public CAs only", "unable to get local issuer certificate"),
    ],
)
def test_M20_a_bad_certificate_is_never_accepted(prometheus, reader_of, tmp_path, now_s, monkeypatch, case, words):
    ours = Authority(tmp_path, "ours")
    signer = Authority(tmp_path, "theirs") if case == "unknown CA" else ours
    san = "DNS:elsewhere.example" if case == "wrong name" else "DNS:localhost"
    certificate = signer.sign("server", san, expired=case == "expired")
    files = {"cert_file": str(certificate), "key_file": str(certificate.with_suffix(".key"))}
    monkeypatch.setattr(Prometheus, "get", _listening)  # the fixture's own question would be refused as well
    server = prometheus(gauge(now_s, 120.0), web_config={"tls_server_config": files}, ca=ours.certificate)
    trust = {} if case == "public CAs only" else {"ca_file": ours.certificate}
    note = holds(Loop(reader_of(server.url, **trust), ["sum(load_rps)"]).one(now_s), DataVerdict.REFUSED)
    assert "TLS" in note
    assert words in note


def _listening(self: Prometheus, path: str, **_: object) -> Answer:
    """Ready as soon as the port takes connections."""
    port = urlsplit(self.url).port
    with socket.create_connection(("127.0.0.1", port or 0), 1.0):
        return Answer(200, {}, b"")


@pytest.mark.slow
def test_M20_our_own_certificate_opens_a_server_that_asks_for_one(prometheus, reader_of, tmp_path, now_s, monkeypatch):
    ours = Authority(tmp_path, "ours")
    certificate = ours.sign("server")
    mine = ours.sign("client", usage="clientAuth")
    tls = {"cert_file": str(certificate), "key_file": str(certificate.with_suffix(".key"))}
    tls |= {"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": str(ours.certificate)}
    monkeypatch.setattr(Prometheus, "get", _listening)
    server = prometheus(gauge(now_s, 120.0), web_config={"tls_server_config": tls}, ca=ours.certificate)
    known = reader_of(
        server.url, ca_file=ours.certificate, cert_file=mine, key_file=mine.with_suffix(".key"), timeout_s=3.0
    )
    assert Loop(known, ["sum(load_rps) / 2"]).one(now_s).granted == 6
    unknown = reader_of(server.url, ca_file=ours.certificate)
    decision = Loop(unknown, ["sum(load_rps)"]).one(now_s)
    assert verdict_of(decision) in {DataVerdict.REFUSED, DataVerdict.UNREACHABLE}, "its alert may be lost with the line"
    assert "client certificate" in holds(decision, verdict_of(decision))


def test_M20_a_ca_file_that_is_not_there_is_named(reader_of, tmp_path, now_s):
    reader = reader_of("https://localhost:1", ca_file=tmp_path / "gone.crt")
    assert "gone.crt" in holds(Loop(reader, ["sum(load_rps)"]).one(now_s), DataVerdict.REFUSED)
