"""A file that holds one document of one shape."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from autoscaler.domain.errors import InvalidSpec
from autoscaler.spec.complaints import complaints, problem_at
from autoscaler.spec.nodes import Document, plain
from autoscaler.spec.reader import documents_of

M = TypeVar("M", bound=BaseModel)


def read_single(file: Path, model: type[M]) -> tuple[Document, M]:
    """The document with its places, and what it says. Raises InvalidSpec with every problem."""
    documents = list(documents_of(file))
    problems = tuple(p for d in documents for p in d.problems)
    if problems:
        raise InvalidSpec(problems)
    if len(documents) != 1:
        raise InvalidSpec((problem_at(documents[1], (), "is a second document", remedy="keep one in the file"),))
    document = documents[0]
    assert document.root is not None  # noqa: S101 - without problems there is a root
    try:
        return document, model.model_validate(plain(document.root))
    except ValidationError as error:
        raise InvalidSpec(tuple(complaints(document, model, error))) from None
