"""A sheet: what was said last is there, and nothing else."""

import math

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from autoscaler.adapters.sheet import Sheet


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def test_what_is_not_said_again_is_gone_and_unknown_is_never_zero(registry):
    sheet = Sheet("foresail_x", "A text.", ("namespace", "name"), registry)
    sheet.show([(("shop", "web"), 3), (("shop", "cart"), 0.0), (("shop", "new"), math.nan)])
    assert registry.get_sample_value("foresail_x", {"namespace": "shop", "name": "web"}) == 3
    assert registry.get_sample_value("foresail_x", {"namespace": "shop", "name": "cart"}) == 0
    assert registry.get_sample_value("foresail_x", {"namespace": "shop", "name": "new"}) is None
    sheet.show([(("shop", "cart"), 1.5)])
    assert registry.get_sample_value("foresail_x", {"namespace": "shop", "name": "web"}) is None
    assert generate_latest(registry).decode() == (
        "# HELP foresail_x A text.\n# TYPE foresail_x gauge\n"
        'foresail_x{name="cart",namespace="shop"} 1.5\n'
    )  # fmt: skip


def test_an_empty_sheet_has_its_help_as_a_gauge_without_series_has(registry):
    Sheet("foresail_x", "A text.", ("name",), registry)
    assert generate_latest(registry).decode() == "# HELP foresail_x A text.\n# TYPE foresail_x gauge\n"


def test_a_name_is_taken_once(registry):
    Sheet("foresail_x", "A text.", ("name",), registry)
    with pytest.raises(ValueError, match="foresail_x"):
        Sheet("foresail_x", "Another.", ("name",), registry)
