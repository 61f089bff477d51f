"""Sets of steps as sorted, disjoint spans [first, end)."""

from __future__ import annotations

import numpy as np

from autoscaler.domain.series import Bools

Spans = list[tuple[int, int]]


def added(spans: Spans, first: int, end: int) -> Spans:
    """With [first, end) too; what touches is joined."""
    if first >= end:
        return spans
    apart = [s for s in spans if s[1] < first or s[0] > end]
    joined = [s for s in spans if not (s[1] < first or s[0] > end)]
    low = min([first, *(s[0] for s in joined)])
    high = max([end, *(s[1] for s in joined)])
    return sorted([*apart, (low, high)])


def without(spans: Spans, first: int, end: int) -> Spans:
    if first >= end:
        return spans
    left = [(low, min(high, first)) for low, high in spans]
    right = [(max(low, end), high) for low, high in spans]
    return sorted(s for s in [*left, *right] if s[0] < s[1])


def runs(mask: Bools, first_step: int) -> Spans:
    """Spans where a mask [step] holds; its column 0 is first_step."""
    padded = np.zeros(len(mask) + 2, dtype=np.int8)
    padded[1:-1] = mask
    edges = np.flatnonzero(np.diff(padded)) + first_step
    return [(int(a), int(b)) for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)]
