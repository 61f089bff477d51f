"""A small SMTP server that keeps mails: EHLO, STARTTLS, AUTH PLAIN and LOGIN, MAIL, RCPT, DATA (RFC 5321)."""

import base64
import email
import email.policy
import socketserver
import ssl
import threading
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Mailbox:
    """Use as a context manager. tls: its certificate's context; None = no STARTTLS. refuse: verb → answer."""

    tls: ssl.SSLContext | None = None
    password: str | None = None
    refuse: dict[str, str] = field(default_factory=dict)
    mails: list[Any] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    to: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Session)
        vars(self._server)["mailbox"] = self

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def __enter__(self) -> Any:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        try:
            self._talk()
        except (OSError, ssl.SSLError):
            return  # the other side has hung up, or does not trust us
        finally:
            self.connection.close()

    def finish(self) -> None:
        """All is closed by then."""
        for stream in (self.rfile, self.wfile):
            stream.close()

    def _talk(self) -> None:
        box: Mailbox = vars(self.server)["mailbox"]
        encrypted, rcpt = False, []
        self._say("220 mailbox ESMTP")
        while line := self.rfile.readline().decode().strip():
            verb = line.split()[0].upper()
            if verb in box.refuse:
                self._say(box.refuse[verb])
            elif verb == "EHLO":
                more = ["STARTTLS"] if box.tls and not encrypted else []
                self._say(*["250-mailbox", *(f"250-{m}" for m in more), "250-AUTH PLAIN LOGIN", "250 8BITMIME"])
            elif verb == "STARTTLS" and box.tls:
                self._say("220 go")
                self.finish()
                self.connection = box.tls.wrap_socket(self.connection, server_side=True)
                self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
                encrypted = True
            elif verb == "AUTH":
                said = base64.b64decode(line.split()[2]).decode().split("\0")[-1]
                self._say("235 ok" if said == box.password else f"535 5.7.8 no, not {said}")
            elif verb == "RCPT":
                rcpt.append(line[8:].strip("<>"))
                self._say("250 ok")
            elif verb == "DATA":
                self._say("354 go on")
                data = b""
                while not data.endswith(b"\r\n.\r\n"):
                    data += self.rfile.readline()
                box.raw.append(data)
                box.mails.append(
                    email.message_from_bytes(data[:-5].replace(b"\r\n..", b"\r\n."), policy=email.policy.default)
                )
                box.encrypted.append(encrypted)
                box.to.append(rcpt)
                self._say("250 taken")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())
