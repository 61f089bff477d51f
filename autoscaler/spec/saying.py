"""Parts of a policy of which at least one field must be said."""

from __future__ import annotations

from pydantic import model_validator

from autoscaler.spec import scalars
from autoscaler.spec.behavior import Part


class Saying(Part):
    """A part of which nothing is left, as after an edit that went wrong, is refused rather than read as "no rules"."""

    @model_validator(mode="after")
    def _says_something(self) -> Saying:
        if not self.model_fields_set:
            raise scalars.slip("says nothing", "write a rule, or remove the field")
        return self
