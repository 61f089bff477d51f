"""What kinds share: the API version, metadata, and a person's pause."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from autoscaler.domain.workload import PauseDirection
from autoscaler.spec import scalars
from autoscaler.spec.behavior import Part
from autoscaler.spec.sources import without_nulls

API_VERSION = "foresail.dev/v1alpha1"


Labels = Annotated[dict[str, str], BeforeValidator(without_nulls), AfterValidator(scalars.check_label_values)]
Annotations = Annotated[dict[str, str], BeforeValidator(without_nulls), AfterValidator(scalars.check_metadata_keys)]


class ClusterMetadata(Part):
    """Metadata of a cluster-scoped object: it has a name and no namespace."""

    name: scalars.Subdomain = Field(description="Name of the object, unique in the cluster.", examples=["prod"])
    labels: Labels = Field(default={}, description="Labels, as on any object.", examples=[{"team": "platform"}])
    annotations: Annotations = Field(
        default={}, description="Annotations, as on any object.", examples=[{"example.com/owner": "platform"}]
    )


class Metadata(ClusterMetadata):
    """Metadata of a namespaced object."""

    name: scalars.Subdomain = Field(description="Name of the object, unique in its namespace.", examples=["web"])
    namespace: scalars.Label = Field(
        default="default", description="Namespace of the object and of its target.", examples=["shop"]
    )


class PauseSpec(Part):
    """A human stop with an owner and an end."""

    direction: Annotated[PauseDirection, Field(strict=False)] = Field(
        default=PauseDirection.BOTH, description="Which moves stop: Both, Down or Up.", examples=["Down"]
    )
    owner: scalars.OneLine = Field(description="Who paused it.", examples=["mia@example.com"])
    reason: scalars.OneLine = Field(description="Why it is paused.", examples=["load test"])
    until: scalars.Instant = Field(
        description="When the pause ends by itself: RFC 3339 with a zone, in quotes.", examples=["2026-03-01T06:00:00Z"]
    )
