import dataclasses
import math
import string
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.adapters.store.codec import VERSION, UnreadablePayload, from_dict, pack, to_dict, unpack
from autoscaler.domain.decision import Decision, DemandView, GuardEffect, State
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import DataVerdict
from autoscaler.domain.workload import Actuation, Lead, LeadBasis, Mode, WorkloadRef

text = st.text(st.characters(codec="utf-8"), max_size=12)
count = st.integers(0, 2**31 - 1)
number = st.floats(allow_nan=False)
seconds = st.floats(0.0, 1e6).map(abs)
moments = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)).map(
    lambda when: when.replace(fold=0)
)

demands = st.builds(
    DemandView,
    name=text,
    source=text,
    query=text,
    capacity_per_replica=number,
    verdict=st.sampled_from(DataVerdict),
    observed=st.none() | number,
    age_s=st.none() | number,
    model=st.none() | text,
    quantiles=st.none() | st.lists(number, max_size=4).map(tuple),
)
effects = st.builds(
    GuardEffect,
    guard=text,
    reason=st.sampled_from(Reason),
    before=count,
    after=count,
    holds=st.booleans(),
    limit=st.none() | number,
)
decisions = st.builds(
    Decision,
    workload=st.builds(WorkloadRef, text, text),
    at=moments,
    expires=moments,
    mode=st.sampled_from(Mode),
    actuation=st.sampled_from(Actuation),
    state=st.sampled_from(State),
    current=count,
    ready=count,
    wanted=count,
    granted=count,
    sizing=st.sampled_from(Reason),
    margin=number,
    lead_s=number,
    risk=number,
    demands=st.lists(demands, max_size=3).map(tuple),
    effects=st.lists(effects, max_size=3).map(tuple),
    inputs=st.dictionaries(st.text(string.ascii_letters, min_size=1, max_size=9), number | st.booleans() | count),
    notes=st.lists(st.builds(Note, st.sampled_from(Condition), text), max_size=2).map(tuple),
    lead=st.none() | st.builds(Lead, seconds, seconds, seconds, seconds, st.sampled_from(LeadBasis), count),
    data_delay_s=seconds,
    tick_s=seconds,
)


@settings(max_examples=150, deadline=None)
@given(decisions)
def test_nothing_is_lost(decision):
    back = unpack(pack(decision))
    assert back == decision
    assert repr(back) == repr(decision), "types too: True is not 1, 1 is not 1.0, -0.0 is not 0.0"


def test_none_nan_infinity_and_zero_stay_four_things(make):
    view = make.decisions(make.fleet())[0]
    inputs = {"a": math.nan, "b": math.inf, "c": -math.inf, "d": 0.0, "e": False}
    demand = dataclasses.replace(view.demands[0], observed=None, age_s=0.0, model=None, quantiles=None)
    back = unpack(pack(dataclasses.replace(view, margin=math.nan, demands=(demand,), inputs=inputs)))
    assert math.isnan(back.margin)
    assert repr(back.inputs) == repr(inputs)
    assert back.demands == (demand,)


# Written by version 1; a record that is on disk somewhere must stay readable, so these bytes never change.
GOLDEN = (
    "01bd95c10ec2201044ffa5e73d14b2e0cfc8416393de3c68623cf8ef0e54598a2d8534314d4868371d98591e4bc2b7f1ea3b"
    "fd319c3b47ff598698c4f4b58925694b6215228ac6674e4bba4ad2553ab46d43c64596797c1dbd3711611db181424fd30199"
    "e4eee300d05c4e4f30401dc2fbf0413346905c74d57e617f21d4e9ba7907e768b578d23b669da4bf9545822e95af10d592f9"
    "946273ae4450132bc34f5d355279de6f295661610656146ca3d5523d5cf50eba5adfc92960651e108be936647b6ac22cf6d6"
    "0adad71b"
)


def test_what_version_1_wrote_can_be_read(make):
    assert VERSION == 1, "keep this test and the seed of version 1 beside the new ones"
    lanes = make.fleet("web", demands=2)
    expected = make.decisions(lanes, observed=[180.0, math.nan], acts={"step-up": (6, 5, False, 5.0)})[0]
    golden = unpack(bytes.fromhex(GOLDEN))
    assert golden.inputs["observed_need"] == 4
    assert golden.lead is None, "version 1 knew no parts of the lead at first"
    assert dataclasses.replace(golden, inputs={}) == dataclasses.replace(
        expected, inputs={}, lead=None, data_delay_s=0.0, tick_s=0.0
    )


def test_newer_payload_is_named(make):
    body = pack(make.decisions(make.fleet())[0])
    with pytest.raises(UnreadablePayload, match="payload version 2, this Foresail reads version 1"):
        unpack(b"\x02" + body[1:])
    with pytest.raises(ValueError, match="payload version 9"):
        from_dict(to_dict(unpack(body)) | {"v": 9})


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b[:1] + b[20:], lambda _: b"\x01", lambda _: b""]
)
def test_damaged_payload_is_named(make, damage):
    with pytest.raises(UnreadablePayload):
        unpack(damage(pack(make.decisions(make.fleet())[0])))


def test_a_reason_of_the_future_is_named(make):
    plain = to_dict(make.decisions(make.fleet())[0]) | {"sizing": "FromTomorrow"}
    with pytest.raises(ValueError, match="FromTomorrow"):
        from_dict(plain)


def test_a_payload_is_small(make):
    assert len(pack(make.decisions(make.fleet())[0])) < 300
