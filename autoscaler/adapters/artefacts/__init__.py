"""Artefacts on disk: numpy arrays and a JSON manifest in a folder, never anything that runs when it is read.

Publish and read a model::

    from autoscaler.adapters.artefacts import ModelFolder, read_artefact
    from autoscaler.domain.artefact import Expected, Manifest

    models = ModelFolder(Path("models"))
    told = Manifest(kind="quantile-trees", name="global", created=now, versions={"features": "1"},
                    window=(first, last), data_hash=hash_of(values), metrics={"wql": 0.41},
                    limits={"max_rows": 100_000}, features=("lag_1", "lag_60"))
    published = models.publish(told, {"thresholds": thresholds, "leaves": leaves})   # the next generation
    models.promote("global", published.generation, by="jana", at=now)

    expected = Expected(kind="quantile-trees", name="global", versions={"features": "1"})
    artefact, _ = models.in_force(expected, now)             # digests, sizes, shapes checked; arrays read-only
    artefact.arrays["thresholds"], artefact.manifest.features

Arrays are numbers, flags and bytes (`S`), little-endian; text goes in as `S` (names in UTF-8) or into the manifest.
The same arrays give the same bytes, hence the same digests. Every refusal is a `BadArtefact` with a `Fault`.
`write_artefact(folder, told, arrays)` and `read_artefact(folder, expected, now)` do the same for a single folder.
"""

from autoscaler.adapters.artefacts.folder import ModelFolder
from autoscaler.adapters.artefacts.hashing import hash_of
from autoscaler.adapters.artefacts.reading import read_artefact, read_manifest
from autoscaler.adapters.artefacts.writing import write_artefact

__all__ = ["ModelFolder", "hash_of", "read_artefact", "read_manifest", "write_artefact"]
