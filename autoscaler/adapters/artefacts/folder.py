"""A folder of models: NAME/GENERATION/ is one artefact, NAME/promotions.json says which is in force.

A generation, once there, is never changed (but for a signature that is added) and never written over. What is in force
only goes forward; back goes a roll-back, with its reason on record.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from autoscaler.adapters.artefacts.disk import must_be_folder, read_bytes
from autoscaler.adapters.artefacts.promotions import Move, Promotion, add, locked, promotions
from autoscaler.adapters.artefacts.reading import read_artefact, read_manifest
from autoscaler.adapters.artefacts.writing import ARRAYS, sign_folder, write_artefact
from autoscaler.domain.artefact import NAME, Arrays, Artefact, BadArtefact, Expected, Fault, Manifest
from autoscaler.domain.errors import Refused
from autoscaler.ports.artefacts import Signer, Verifier

CARD, MOST_CARD_BYTES = "CARD.md", 256 * 1024
TRIES = 20
ANYTHING = Expected()


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """root need not be there before the first publish.

    verifier: the keys whose signatures are taken; None: signatures are not asked for, which is right only for models
    that came with the installed package, as trusted as its code, and for a folder that only this process writes.
    """

    root: Path
    verifier: Verifier | None = None

    def names(self) -> tuple[str, ...]:
        if not self.root.is_dir():
            return ()
        return tuple(sorted(p.name for p in self.root.iterdir() if NAME.fullmatch(p.name) and self._generations(p)))

    def generations(self, name: str) -> tuple[int, ...]:
        """Rising; what is there, sound or not."""
        return self._generations(self.place(name))

    def place(self, name: str, generation: int | None = None) -> Path:
        if not NAME.fullmatch(name):
            raise Refused(f"{name!r} is not a name of a model: lower-case letters, digits and dashes, at most 63")
        return self.root / name if generation is None else self.root / name / str(generation)

    def publish(self, told: Manifest, arrays: Arrays, *, signer: Signer | None = None) -> Manifest:
        """Write the next generation of told.name (told.generation is not looked at). It is not in force yet."""
        folder = self.place(told.name)
        folder.mkdir(parents=True, exist_ok=True)
        for _ in range(TRIES):
            generation = max(self.generations(told.name), default=0) + 1
            try:
                return write_artefact(
                    self.place(told.name, generation), replace(told, generation=generation), arrays, signer=signer
                )
            except FileExistsError:
                continue  # another trainer was first with this number
        raise Refused(f"{folder}: {TRIES} numbers in a row were taken by other trainers; train again later")

    def manifest(self, name: str, generation: int) -> Manifest:
        """As told, unchecked. Raises BadArtefact."""
        return read_manifest(self.place(name, generation))

    def load(self, name: str, generation: int, now: datetime, expected: Expected = ANYTHING) -> Artefact:
        """One generation, checked wholly: signature, identity, expiry, digests, sizes, shapes. Raises BadArtefact."""
        must_be_folder(self.place(name))
        here = replace(expected, name=name, generation=generation)
        if expected.name not in {None, name}:
            raise ValueError(f"asked for {expected.name} in the folder of {name}")
        return read_artefact(self.place(name, generation), here, now, verifier=self.verifier)

    def sign(self, name: str, generation: int, signer: Signer, now: datetime) -> Manifest:
        """Sign what is found sound in every other way."""
        with locked(self._present(name)):
            here = Expected(name=name, generation=generation)
            artefact = read_artefact(self.place(name, generation), here, now)
            return sign_folder(self.place(name, generation), artefact.manifest, signer)

    def history(self, name: str) -> tuple[Promotion, ...]:
        return promotions(self.place(name))

    def promoted(self, name: str) -> int | None:
        """The generation in force by the record; None before the first promotion."""
        record = self.history(name)
        return record[-1].generation if record else None

    def promote(self, name: str, generation: int, *, by: str, at: datetime) -> Promotion:
        """Put a newer generation into force. Refused: an older one, or one that load would refuse at `at`."""
        with locked(self._present(name)):
            record = self.history(name)
            now_in_force = record[-1].generation if record else None
            if now_in_force is not None and generation <= now_in_force:
                what = (
                    "in force already"
                    if generation == now_in_force
                    else f"older than {now_in_force}, which is in force"
                )
                raise BadArtefact(
                    Fault.OLDER,
                    f"{name}@{generation}: {what}; only a newer one is promoted: an older one takes "
                    f"`models roll-back {name} --to {generation} --reason ...`",
                )
            return self._moved(name, record, Promotion(Move.PROMOTED, generation, at, by))

    def roll_back(self, name: str, *, by: str, at: datetime, reason: str, to: int | None = None) -> Promotion:
        """Put an older generation into force, `to` or the one that was so before the present one."""
        if not reason.strip():
            raise Refused("a roll-back needs a reason: the next promotion has to know what was wrong")
        with locked(self._present(name)):
            record = self.history(name)
            if not record:
                raise Refused(f"{name}: nothing is in force that could be rolled back")
            present = record[-1].generation
            target = to if to is not None else _before(record)
            if target is None:
                raise Refused(f"{name}: nothing was in force before {present}; name the generation with --to")
            if target >= present:
                raise Refused(f"{name}: {target} is not older than {present}, which is in force; promote it instead")
            return self._moved(name, record, Promotion(Move.ROLLED_BACK, target, at, by, reason=reason.strip()))

    def in_force(self, expected: Expected, now: datetime) -> tuple[Artefact, tuple[BadArtefact, ...]]:
        """The promoted artefact of expected.name; where it is not sound, the newest one in force before it that is.

        The second value tells what was wrong with each that was passed over. Raises BadArtefact: MISSING when nothing
        was promoted, else the fault of the promoted one when none is sound.
        """
        if expected.name is None:
            raise ValueError("the name of the model is needed")
        faults: list[BadArtefact] = []
        for each in _once_in_force(self.history(expected.name)):
            try:
                return self._promoted_one(each, expected, now), tuple(faults)
            except BadArtefact as why:
                faults.append(why)
        if faults:
            raise faults[0]
        raise BadArtefact(
            Fault.MISSING,
            f"{self.place(expected.name)}: nothing is promoted; say `models promote {expected.name}@GENERATION`",
        )

    def card(self, name: str, generation: int) -> str | None:
        """The card in Markdown, if there is one: the generation's own, else that of the model as a whole."""
        places = (self.place(name, generation) / CARD, self.place(name) / CARD)
        place = next((each for each in places if each.exists()), None)
        return None if place is None else read_bytes(place, MOST_CARD_BYTES).decode(errors="replace")

    def _promoted_one(self, each: Promotion, expected: Expected, now: datetime) -> Artefact:
        name = str(expected.name)
        artefact = self.load(name, each.generation, now, expected)
        found = artefact.manifest.files[ARRAYS].sha256
        if found != each.sha256:
            raise BadArtefact(
                Fault.IDENTITY,
                f"{self.place(name, each.generation)}: not what was promoted as {name}@{each.generation}: "
                f"SHA-256 {found[:12]}…, and {each.sha256[:12]}… was",
            )
        return artefact

    def _moved(self, name: str, record: tuple[Promotion, ...], wanted: Promotion) -> Promotion:
        """Check what is to be in force as if it were loaded, and put it on record."""
        artefact = self.load(name, wanted.generation, wanted.at)
        before = record[-1].generation if record else None
        made = replace(wanted, sha256=artefact.manifest.files[ARRAYS].sha256, before=before)
        add(self.place(name), record, made)
        return made

    def _present(self, name: str) -> Path:
        folder = self.place(name)
        if not folder.is_dir():
            raise BadArtefact(
                Fault.MISSING, f"{folder}: there is no model {name!r}; `models list` says which there are"
            )
        return folder

    @staticmethod
    def _generations(folder: Path) -> tuple[int, ...]:
        if not folder.is_dir() or folder.is_symlink():
            return ()
        return tuple(sorted(int(p.name) for p in folder.iterdir() if p.name.isdecimal() and str(int(p.name)) == p.name))


def _before(record: tuple[Promotion, ...]) -> int | None:
    """What was in force before the present generation and is older than it."""
    present = record[-1].generation
    return next((each.generation for each in reversed(record) if each.generation < present), None)


def _once_in_force(record: tuple[Promotion, ...]) -> tuple[Promotion, ...]:
    """The one in force, then what was in force before it, newest first; what was rolled back from is left out."""
    found: dict[int, Promotion] = {}
    bad: set[int] = set()
    for each in reversed(record):
        if each.generation not in bad:
            found.setdefault(each.generation, each)
        if each.move is Move.ROLLED_BACK and each.before is not None and each.before not in found:
            bad.add(each.before)
    return tuple(found.values())
