"""The body of an answer, bounded in time and size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import requests

MOST_ANSWER: Final = 1 << 20
_PIECE: Final = 1 << 14


def body_within(response: requests.Response, deadline_s: float, clock: Callable[[], float]) -> bytes:
    """What was said until the deadline, by the clock; of more than MOST_ANSWER bytes the first. Raises TimeoutError."""
    said, raw = bytearray(), response.raw
    while len(said) <= MOST_ANSWER:
        left_s = deadline_s - clock()
        if left_s <= 0:
            raise TimeoutError
        sock = getattr(getattr(raw, "connection", None), "sock", None)
        if sock is not None:
            sock.settimeout(left_s)  # a socket's own timeout starts anew with every byte
        piece = raw.read1(_PIECE, decode_content=True)
        if not piece:
            break
        said += piece
    return bytes(said)
