"""Mail to a server that keeps what it gets: encrypted first, threaded, escaped. Rows A04, A05, S10, S13."""

import shutil
import socket
import ssl
import subprocess
from dataclasses import replace
from typing import Any

import pytest

from autoscaler.adapters.alerting.email import Mail, MailServer
from autoscaler.adapters.alerting.message import Act
from autoscaler.ports.alerts import Outcome
from tests.unit.alerts.mailbox import Mailbox
from tests.unit.alerts.told import alert, message, secret, thread

PASSWORD = "canary-mail-password"  # noqa: S105 - of no server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: Any) -> Any:
    """Of localhost, signed by itself, with its key in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl on this machine: mail over TLS is not tried")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [openssl, "req", "-x509", "-nodes", "-days", "2", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", str(folder / "key.pem"), "-out", str(folder / "ca.pem")],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context, folder / "ca.pem"


def mail(box: Any, security: str = "None", **server: Any) -> Mail:
    made = MailServer("127.0.0.1", box.port, security, timeout_s=5.0, **server)
    return Mail("mail", made, "foresail@example.com", ("on-call@example.com", "b@example.com"))


def test_a_mail_has_text_html_and_the_course_as_a_picture():
    with Mailbox() as box:
        told = mail(box).tell(message(), thread())
    assert told.delivery.outcome is Outcome.DELIVERED
    (got,) = box.mails
    assert box.to == [["on-call@example.com", "b@example.com"]]
    assert got["Subject"] == "[Foresail] firing critical: shop/web: 12 needed, max is 8"
    assert got["Auto-Submitted"] == "auto-generated"
    assert got["Importance"] == "high"
    assert got.get_content_type() == "multipart/alternative"
    text = got.get_body(("plain",)).get_content()
    for words in (
        "needed 12 replicas, max 8 replicas",
        "Why: demand rose",
        "Next: Raise max",
        "foresail pause shop/web",
    ):
        assert words in text
    page = got.get_body(("html",)).get_content()
    assert "cid:course" in page
    (picture,) = [part for part in got.walk() if part.get_content_type() == "image/png"]
    assert picture.get_content().startswith(b"\x89PNG\r\n\x1a\n")
    assert picture["Content-ID"] == "<course>"


def test_mails_of_one_incident_are_one_thread_and_a_retry_is_the_same_mail():
    with Mailbox() as box:
        one = mail(box)
        first = one.tell(message(), thread())
        assert first.receipt is not None
        one.tell(message(), thread())  # as after a kill between taking and remembering
        other = alert("ForesailFallbackActive")
        one.tell(message(other), replace(thread(other, 2), receipt=first.receipt))
        one.tell(message(act=Act.END), replace(thread(lasting=0), receipt=first.receipt))
    ids = [got["Message-ID"] for got in box.mails]
    assert ids[0] == ids[1] == first.receipt["root"]
    assert len(set(ids)) == 3
    for got in box.mails[2:]:
        assert got["References"] == got["In-Reply-To"] == ids[0]
        assert got["Subject"] == "Re: [Foresail] firing critical: shop/web: 12 needed, max is 8"
    assert "resolved critical" in box.mails[3].get_body(("plain",)).get_content()


def test_mail_is_encrypted_before_the_password_is_sent(certificate, tmp_path):
    context, ca = certificate
    with Mailbox(context, PASSWORD) as box:
        made = mail(box, "StartTls", username="me", password=secret(tmp_path, PASSWORD), ca_file=ca)
        assert made.tell(message(), thread()).delivery.outcome is Outcome.DELIVERED
    assert box.encrypted == [True]


def test_s10_without_starttls_nothing_is_sent_at_all(tmp_path):
    with Mailbox(password=PASSWORD) as box:
        made = mail(box, "StartTls", username="me", password=secret(tmp_path, PASSWORD))
        delivery = made.tell(message(), thread()).delivery
    assert delivery.outcome is Outcome.SHUT
    assert "STARTTLS" in delivery.words
    assert box.mails == []


def test_a_server_that_nobody_vouches_for_gets_nothing(certificate, tmp_path):
    context, _ = certificate
    with Mailbox(context, PASSWORD) as box:
        made = mail(box, "StartTls", username="me", password=secret(tmp_path, PASSWORD))
        delivery = made.tell(message(), thread()).delivery
    assert delivery.outcome is Outcome.SHUT
    assert "certificate verify failed" in delivery.words
    assert box.mails == []


def test_a05_a_wrong_password_shuts_and_is_in_no_word_though_the_server_repeats_it(certificate, tmp_path):
    context, ca = certificate
    with Mailbox(context, "another") as box:
        made = mail(box, "StartTls", username="me", password=secret(tmp_path, PASSWORD), ca_file=ca)
        delivery = made.tell(message(), thread()).delivery
    assert delivery.outcome is Outcome.SHUT
    assert "535" in delivery.words
    assert PASSWORD not in delivery.words


@pytest.mark.parametrize(
    ("refuse", "outcome"),
    [
        ({"RCPT": "450 4.2.1 busy"}, Outcome.LATER),
        ({"RCPT": "550 5.1.1 no such user"}, Outcome.SHUT),
        ({"MAIL": "452 4.3.1 full"}, Outcome.LATER),
        ({"MAIL": "553 5.7.1 not you"}, Outcome.SHUT),
        ({"DATA": "451 4.3.0 later"}, Outcome.LATER),
        ({"DATA": "554 5.6.0 spam"}, Outcome.REFUSED),
        ({"EHLO": "421 4.3.2 closing", "HELO": "421 4.3.2 closing"}, Outcome.LATER),
    ],
)
def test_a04_answers_of_a_mail_server_are_read(refuse, outcome):
    with Mailbox(refuse=refuse) as box:
        assert mail(box).tell(message(), thread()).delivery.outcome is outcome


def test_a04_nobody_there_is_for_later():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    made = Mail("mail", MailServer("127.0.0.1", port, "None", timeout_s=2.0), "a@example.com", ("b@example.com",))
    delivery = made.tell(message(), thread()).delivery
    assert (delivery.outcome, delivery.words) == (Outcome.LATER, "connection refused")


def test_mail_in_the_clear_stays_on_this_machine():
    with pytest.raises(ValueError, match="in the clear"):
        MailServer("smtp.example.com", 25, "None")


def test_s13_markup_in_a_template_or_a_name_is_text_in_the_page():
    from autoscaler.adapters.alerting.email import page
    from autoscaler.adapters.alerting.message import Words

    shown = page(
        message(words=Words("<script>alert(1)</script>", "<img src=x onerror=y> & {summary}")), with_picture=False
    )
    assert "<script" not in shown
    assert "<img" not in shown
    assert "&lt;script&gt;" in shown
