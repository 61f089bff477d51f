"""Which folders hold models, which keys are trusted, and what is known about each model, for faces and the service."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import autoscaler
from autoscaler.adapters.artefacts import ModelFolder
from autoscaler.adapters.artefacts.promotions import Promotion
from autoscaler.domain.artefact import BadArtefact, Fault, Manifest
from autoscaler.domain.errors import Refused
from autoscaler.ports.artefacts import Signer, Verifier

log = logging.getLogger("foresail")
KEYS, OWN_KEY = ".keys", "own"


def models_folder(store: Path) -> Path:
    """The folder of an installation's own models: beside its record of decisions."""
    return store.with_name(f"{store.stem}-models")


def packaged_models() -> ModelFolder:
    """The models that came with this Foresail. They are as trusted as its code: both came in one package."""
    package = Path(str(autoscaler.__file__)).parent
    inside = package / "models"
    return ModelFolder(inside if inside.is_dir() else package.parent / "models")


def own_models(root: Path, trust: Sequence[Path] = ()) -> ModelFolder:
    """A folder whose models must be signed, by this installation's own key or by one that it was told to trust.

    trust: files of public keys, beside those in ROOT/.keys. Refused for a file that is no such key.
    """
    return ModelFolder(root, trusted(root, trust))


def own_signer(root: Path) -> Signer:
    """Signs what this installation trains itself; its key is made at the first use and trusted by `own_models`."""
    from autoscaler.adapters.artefacts.keys import KeySigner, generate

    place = root / KEYS / OWN_KEY
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        log.info("model_key_made %s id=%s", place, generate(place))
    return KeySigner.from_file(place)


def trusted(root: Path, trust: Sequence[Path] = ()) -> Verifier:
    """Judges signatures by the keys in ROOT/.keys, as they are when it is asked, and by those of `trust`."""
    return _Keys(root / KEYS, tuple(trust))


@dataclass(frozen=True, slots=True)
class _Keys:
    """Loads the keys and their library with the first signature that is judged: most commands judge none."""

    folder: Path
    more: tuple[Path, ...]

    def verify(self, manifest: Manifest, place: object) -> None:
        paths = (*sorted(self.folder.glob("*.pub")), *self.more)
        if manifest.signature is None and not paths:
            raise BadArtefact(
                Fault.UNSIGNED, f"{place}: is not signed, and no key is trusted yet: `foresail models sign` signs it"
            )
        from autoscaler.adapters.artefacts.keys import TrustedKeys

        TrustedKeys.from_files(paths).verify(manifest, place)


@dataclass(frozen=True, slots=True)
class ModelView:
    """One generation as faces show it. in_force: None where the record of promotions cannot be read. manifest: None
    where it cannot be read. trouble: why it would not be taken.
    """

    name: str
    generation: int
    in_force: bool | None
    packaged: bool
    manifest: Manifest | None
    trouble: BadArtefact | None

    @property
    def label(self) -> str:
        return f"{self.name}@{self.generation}"


@dataclass(frozen=True, slots=True)
class Models:
    """The installation's own models and the packaged ones; an own one of the same name comes first.

    What of them serves is `models_serving.ServedModel`.
    """

    own: ModelFolder
    packaged: ModelFolder

    @staticmethod
    def at(root: Path, trust: Sequence[Path] = ()) -> Models:
        return Models(own_models(root, trust), packaged_models())

    def views(self, now: datetime, name: str | None = None) -> tuple[ModelView, ...]:
        """Every generation, each checked as if it were loaded; own ones first, newest first.

        A packaged one is not in force where a sound own one of its name is.
        """
        found, served = list[ModelView](), set[str]()
        for folder in (self.own, self.packaged):
            for each in folder.names() if name is None else (name,):
                found += [self._view(folder, each, g, now) for g in reversed(folder.generations(each))]
            if folder is self.own:
                served = {view.name for view in found if view.in_force and view.trouble is None}
        return tuple(replace(v, in_force=False) if v.packaged and v.name in served else v for v in found)

    def view(self, reference: str, now: datetime) -> ModelView:
        """NAME@GENERATION, or NAME: the generation in force, or else the newest. Refused where there is none."""
        name, generation = parsed(reference)
        known = self.views(now, name)
        if not known:
            names = sorted({*self.own.names(), *self.packaged.names()})
            raise Refused(f"there is no model {name!r} in {self.own.root} or {self.packaged.root}; {_listed(names)}")
        if generation is None:
            return next((view for view in known if view.in_force), known[0])
        for view in known:
            if view.generation == generation:
                return view
        there = ", ".join(view.label for view in known)
        raise Refused(f"there is no {name}@{generation}; there are {there}")

    def folder_of(self, view: ModelView) -> ModelFolder:
        return self.packaged if view.packaged else self.own

    def history(self, view: ModelView) -> tuple[Promotion, ...]:
        return self.folder_of(view).history(view.name)

    def _view(self, folder: ModelFolder, name: str, generation: int, now: datetime) -> ModelView:
        manifest, trouble, in_force = None, None, None
        try:
            manifest = folder.manifest(name, generation)
            folder.load(name, generation, now)
        except BadArtefact as why:
            trouble = why
        try:
            in_force = folder.promoted(name) == generation
        except BadArtefact as why:
            trouble = trouble or why
        return ModelView(name, generation, in_force, folder is self.packaged, manifest, trouble)


def parsed(reference: str) -> tuple[str, int | None]:
    name, at, generation = reference.partition("@")
    if not at:
        return name, None
    if not generation.isdecimal() or int(generation) < 1:
        raise Refused(f"{reference!r} is not NAME@GENERATION, such as global@3")
    return name, int(generation)


def _listed(names: Sequence[str]) -> str:
    return f"there are {', '.join(names)}" if names else "there is none at all yet: `foresail train` makes one"
