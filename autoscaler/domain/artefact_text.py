"""manifest.json to a Manifest: strict, and every refusal names the file and the field."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from autoscaler.domain.artefact import SCHEMA_VERSION, ArraySpec, BadArtefact, Fault, FileSpec, Manifest, Signature

_NEEDED = frozenset({"schemaVersion", "kind", "name", "generation", "created", "arrays", "files"})
_KNOWN = _NEEDED | {"expires", "versions", "window", "dataHash", "metrics", "limits", "features", "signature"}


def manifest_of(text: bytes, place: object) -> Manifest:
    """Raises BadArtefact: DAMAGED where it is no JSON object of ours, SCHEMA where another Foresail wrote it."""
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as why:
        raise BadArtefact(Fault.DAMAGED, f"{place}: not a manifest in JSON ({why})") from None
    if not isinstance(found, dict):
        raise BadArtefact(Fault.DAMAGED, f"{place}: not a JSON object")
    version = found.get("schemaVersion")
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise BadArtefact(
            Fault.SCHEMA,
            f"{place}: schemaVersion is {version!r}, and this Foresail reads {SCHEMA_VERSION}: "
            "train it anew, or run the version that wrote it",
        )
    missing, unknown = _NEEDED - found.keys(), found.keys() - _KNOWN
    if missing or unknown:
        words = [f"without {', '.join(sorted(missing))}"] * bool(missing)
        words += [f"with unknown {', '.join(sorted(unknown))}"] * bool(unknown)
        raise BadArtefact(Fault.DAMAGED, f"{place}: a manifest {' and '.join(words)}")
    try:
        return _manifest(found)
    except (ValueError, TypeError, OverflowError) as why:
        raise BadArtefact(Fault.DAMAGED, f"{place}: {why}") from None


def _manifest(found: Mapping[str, Any]) -> Manifest:
    window = found.get("window")
    if window is not None and len(_list(window, "window")) != 2:
        raise ValueError("window is a list of two moments")
    signature = None
    if "signature" in found:
        told = _only(found["signature"], "signature", {"key", "ed25519"})
        signature = Signature(_text(told["key"], "signature.key"), _text(told["ed25519"], "signature.ed25519"))
    return Manifest(
        kind=_text(found["kind"], "kind"),
        name=_text(found["name"], "name"),
        generation=_whole(found["generation"], "generation"),
        created=_moment(found["created"], "created"),
        expires=_moment(found["expires"], "expires") if "expires" in found else None,
        versions={k: _text(v, f"versions.{k}") for k, v in _dict(found.get("versions", {}), "versions").items()},
        window=None if window is None else (_moment(window[0], "window[0]"), _moment(window[1], "window[1]")),
        data_hash=_text(found["dataHash"], "dataHash") if "dataHash" in found else None,
        metrics={k: _number(v, f"metrics.{k}") for k, v in _dict(found.get("metrics", {}), "metrics").items()},
        limits={k: _number(v, f"limits.{k}") for k, v in _dict(found.get("limits", {}), "limits").items()},
        features=tuple(_text(f, f"features[{i}]") for i, f in enumerate(_list(found.get("features", []), "features"))),
        arrays={k: _array(v, f"arrays.{k}") for k, v in _dict(found["arrays"], "arrays").items()},
        files={k: _file(v, f"files.{k}") for k, v in _dict(found["files"], "files").items()},
        signature=signature,
    )


def _array(value: object, path: str) -> ArraySpec:
    told = _only(value, path, {"dtype", "shape"})
    shape = tuple(_whole(n, f"{path}.shape[{i}]") for i, n in enumerate(_list(told["shape"], f"{path}.shape")))
    return ArraySpec(_text(told["dtype"], f"{path}.dtype"), shape)


def _file(value: object, path: str) -> FileSpec:
    told = _only(value, path, {"sha256", "bytes"})
    return FileSpec(_text(told["sha256"], f"{path}.sha256"), _whole(told["bytes"], f"{path}.bytes"))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A key that stands twice would let two readers of one signed text see two manifests."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key!r} stands twice")
        found[key] = value
    return found


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is not JSON")


def _only(value: object, path: str, keys: set[str]) -> dict[str, Any]:
    told = _dict(value, path)
    if told.keys() != keys:
        raise ValueError(f"{path} has {', '.join(sorted(told)) or 'nothing'}, not {', '.join(sorted(keys))}")
    return told


def _dict(value: object, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{path} is {value!r:.60}, not an object")
    return value


def _list(value: object, path: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{path} is {value!r:.60}, not a list")
    return value


def _text(value: object, path: str) -> str:
    if not isinstance(value, str) or len(value) > 512:
        raise TypeError(f"{path} is {value!r:.60}, not a text of at most 512 characters")
    return value


def _whole(value: object, path: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**53:
        raise TypeError(f"{path} is {value!r:.60}, not a whole number")
    return value


def _number(value: object, path: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{path} is {value!r:.60}, not a number")
    return value


def _moment(value: object, path: str) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(value, path))
    except ValueError:
        raise ValueError(f"{path} is {value!r:.60}, not a moment such as 2026-06-10T09:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"{path} is {value!r:.60}: a moment needs a zone, such as Z")
    return moment
