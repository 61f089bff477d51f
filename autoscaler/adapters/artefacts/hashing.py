"""The hash of training data, as it stands in a manifest."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def hash_of(*arrays: NDArray[Any]) -> str:
    """SHA-256 over type, shape and values of the arrays in order; NaN is NaN whatever its bits."""
    digest = hashlib.sha256()
    for array in arrays:
        whole = np.ascontiguousarray(array)
        if whole.dtype.hasobject:
            raise TypeError("only arrays of numbers can be hashed, not of objects")
        if whole.dtype.kind == "f":
            whole = np.where(np.isnan(whole), np.array(np.nan, dtype=whole.dtype), whole)
        digest.update(f"{whole.dtype.str}{whole.shape}".encode())
        digest.update(whole.tobytes())
    return f"sha256:{digest.hexdigest()}"
