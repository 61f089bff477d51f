"""Mail: text and HTML with a picture, one thread for each incident, over a connection that is encrypted first.

Sources: RFC 5321 (which answers are for now and which for good), RFC 3207 (STARTTLS), RFC 5322 §3.6.4 (Message-ID,
In-Reply-To, References), RFC 3834 (Auto-Submitted: no holiday notes come back).
"""

from __future__ import annotations

import html
import smtplib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Final

from autoscaler.adapters.alerting.channel import Thread, Told
from autoscaler.adapters.alerting.message import Act, Message
from autoscaler.adapters.alerting.message_picture import png
from autoscaler.adapters.alerting.secret import Secret, SecretMissingError
from autoscaler.adapters.prometheus.faults import one_line, without_secrets
from autoscaler.domain.alert import Severity
from autoscaler.domain.alert_route import stable_id
from autoscaler.ports.alerts import Delivery, Outcome

TIMEOUT_S: Final = 10.0
MOST_SUBJECT: Final = 200
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class MailServer:
    """security: "StartTls", "Tls" or "None", the last one to this machine alone. ca_file: in place of public CAs."""

    host: str
    port: int
    security: str = "StartTls"
    username: str | None = None
    password: Secret | None = None
    ca_file: Path | None = None
    timeout_s: float = TIMEOUT_S

    def __post_init__(self) -> None:
        if self.security not in {"StartTls", "Tls", "None"}:
            raise ValueError(f"mail is carried by StartTls, Tls or None, not {self.security!r}")
        if self.security == "None" and self.host not in _LOCAL:
            raise ValueError(f"mail to {self.host} would travel in the clear: use StartTls or Tls")


class Mail:
    """Implements Channel. One connection for each message; they are few."""

    updates = False
    resends_end = False

    def __init__(
        self, name: str, server: MailServer, sender: str, to: tuple[str, ...],
        connect: Callable[[MailServer, str | None], smtplib.SMTP] | None = None,
    ) -> None:  # fmt: skip
        if any(c in "\r\n" for address in (sender, *to) for c in address):
            raise ValueError("an address is one line")
        self.name = name
        self._server, self._sender, self._to = server, sender, to
        self._connect = connect or connected

    def tell(self, message: Message, thread: Thread) -> Told:
        root = thread.receipt.get("root")
        mail = letter(message, thread, self._sender, self._to)
        password: str | None = None
        try:
            if self._server.password is not None:
                password = self._server.password.read()
        except SecretMissingError as error:
            return Told(Delivery(Outcome.SHUT, str(error)))
        delivery = self._send(mail, password)
        receipt = {"root": str(mail["Message-ID"]), "subject": str(mail["Subject"])} if root is None else None
        return Told(delivery, receipt if delivery.outcome is Outcome.DELIVERED else None)

    def secrets_now(self) -> str:
        try:
            return "" if self._server.password is None else stable_id(self._server.password.read())
        except SecretMissingError:
            return ""

    def close(self) -> None:
        """Nothing is kept open."""

    def _send(self, mail: EmailMessage, password: str | None) -> Delivery:
        secrets = (password,) if password else ()
        try:
            with self._connect(self._server, password) as smtp:
                refused = smtp.send_message(mail, self._sender, list(self._to))
        except smtplib.SMTPAuthenticationError as error:
            return Delivery(Outcome.SHUT, _words(error.smtp_code, error.smtp_error, secrets))
        except smtplib.SMTPRecipientsRefused as error:
            code, said = next(iter(error.recipients.values()))
            outcome = Outcome.LATER if 400 <= code < 500 else Outcome.SHUT
            return Delivery(outcome, f"no recipient is taken: {_words(code, said, secrets)}")
        except smtplib.SMTPSenderRefused as error:
            outcome = Outcome.LATER if 400 <= error.smtp_code < 500 else Outcome.SHUT
            return Delivery(outcome, f"the sender is refused: {_words(error.smtp_code, error.smtp_error, secrets)}")
        except smtplib.SMTPNotSupportedError as error:
            return Delivery(Outcome.SHUT, one_line(without_secrets(str(error), secrets)))
        except smtplib.SMTPResponseException as error:
            outcome = Outcome.LATER if 400 <= error.smtp_code < 500 else Outcome.REFUSED
            return Delivery(outcome, _words(error.smtp_code, error.smtp_error, secrets))
        except ssl.SSLCertVerificationError as error:
            return Delivery(Outcome.SHUT, f"TLS: certificate verify failed: {error.verify_message}")
        except (smtplib.SMTPException, OSError, ValueError) as error:
            return Delivery(Outcome.LATER, one_line(without_secrets(_why(error, self._server.timeout_s), secrets)))
        if refused:  # some were written to: the message is out, so it is not sent again
            names = ", ".join(sorted(refused))
            return Delivery(Outcome.DELIVERED, one_line(f"not taken for {names}"))
        return Delivery(Outcome.DELIVERED)


def connected(server: MailServer, password: str | None) -> smtplib.SMTP:
    """A session that is encrypted before a name or a password is sent; without STARTTLS there is none."""
    context = ssl.create_default_context(cafile=str(server.ca_file) if server.ca_file else None)
    smtp: smtplib.SMTP
    if server.security == "Tls":
        smtp = smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout_s, context=context)
    else:
        smtp = smtplib.SMTP(server.host, server.port, timeout=server.timeout_s)
    try:
        if server.security == "StartTls":
            smtp.starttls(context=context)
        if server.username is not None and password is not None:
            smtp.login(server.username, password)
    except BaseException:
        smtp.close()
        raise
    return smtp


def letter(message: Message, thread: Thread, sender: str, to: tuple[str, ...]) -> EmailMessage:
    """The mail. Its Message-ID is the same for each try of the same message, so that a mailbox can tell them."""
    mail = EmailMessage()
    root = thread.receipt.get("root")
    domain = sender.rpartition("@")[2]
    alert = message.alert
    count = str(thread.count) if message.act in {Act.UPDATE, Act.REMIND} else ""
    said = (thread.id, f"{thread.began_s:.6f}", alert.key, f"{alert.starts_s:.6f}", message.act.value, count)
    mail["Subject"] = _header_line(thread.receipt.get("subject") or f"[Foresail] {message.title}", thread)
    mail["From"], mail["To"] = sender, ", ".join(to)
    mail["Date"] = format_datetime(datetime.fromtimestamp(message.now_s, UTC))
    mail["Message-ID"] = f"<foresail.{stable_id(message.destination, *said)}@{domain}>"
    if root is not None:
        mail["In-Reply-To"] = mail["References"] = root
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Foresail-Alert"] = alert.name
    if message.severity is Severity.CRITICAL and message.act is not Act.END:
        mail["Importance"] = "high"
    body = f"{message.title}\n\n{message.text()}\n"
    mail.set_content(body)
    picture = message.story.course
    mail.add_alternative(page(message, with_picture=picture is not None), subtype="html")
    if picture is not None:
        related = mail.get_payload()[1]  # type: ignore[index]
        related.add_related(png(picture), "image", "png", cid="<course>", filename="course.png")  # type: ignore[union-attr]
    return mail


def page(message: Message, *, with_picture: bool) -> str:
    """HTML without scripts, styles from elsewhere or pictures from elsewhere; all that is filled in is escaped."""
    lines = "<br>\n".join(html.escape(line) for line in message.text().split("\n"))
    figures = "".join(
        f"<td style='padding:4px 16px 4px 0'><b>{html.escape(value)}</b><br>{html.escape(name)}</td>"
        for name, value in message.story.figures
    )
    table = f"<table><tr>{figures}</tr></table>\n" if figures else ""
    picture = "<p><img src='cid:course' alt='' width='480' height='120'></p>\n" if with_picture else ""
    return (
        "<!doctype html><html><body style='font-family:sans-serif'>\n"
        f"<h3>{html.escape(message.title)}</h3>\n{table}{picture}<p>{lines}</p>\n</body></html>\n"
    )


def _header_line(text: str, thread: Thread) -> str:
    """One line: what is no printable character would be a header of its own."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    answer = "Re: " if thread.receipt.get("root") is not None and not flat.startswith("Re: ") else ""
    return f"{answer}{flat}"[:MOST_SUBJECT]


def _words(code: int, said: bytes | str, secrets: tuple[str, ...]) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return without_secrets(one_line(f"SMTP {code}: {text}"), secrets)


def _why(error: Exception, timeout_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(error, socket.gaierror):
        return f"the host name does not resolve: {error.strerror}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return f"the exchange broke off: {error}"
