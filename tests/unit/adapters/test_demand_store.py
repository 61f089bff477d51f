"""The demand that we keep: nothing is lost, damaged files are set aside, and the twin in memory does the same."""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.adapters.demand_store import DemandStore
from autoscaler.adapters.demand_store import store as adapter
from autoscaler.adapters.demand_store.codec import pack, unpack
from autoscaler.domain.errors import Refused, Retryable
from autoscaler.domain.series import LAST_VALUED, DataVerdict
from autoscaler.ports.history import FINAL, UNASKED, DemandKeeper, KeptDemand
from autoscaler.simulator.demand import MemoryDemandStore

DAY = 1440
CHUNK = 360
KEYS = ("shop/web/requests=prom:sum(rate(x[1m]))", "shop/api/jobs=prom:queue", "shop/db/rows=other:q")
MARKS = [*(int(v) for v in DataVerdict), *(int(v) | FINAL for v in DataVerdict if v > LAST_VALUED), UNASKED]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DemandStore]:
    with DemandStore.open(tmp_path / "demand.db") as opened:
        yield opened


def _piece(first: int, steps: int, keys: tuple[str, ...] = KEYS, seed: int = 0, step_s: int = 60) -> KeptDemand:
    rng = np.random.default_rng(seed + first)
    marks = rng.choice(np.array(MARKS, dtype=np.uint8), (len(keys), steps))
    marks[rng.random(marks.shape) < 0.5] = DataVerdict.OK
    values = np.where(marks <= LAST_VALUED, rng.exponential(1e3, marks.shape), np.nan)
    return KeptDemand(keys, step_s, first, values, marks)


def _same(a: KeptDemand, b: KeptDemand) -> None:
    assert (a.keys, a.step_s, a.first_step, dict(a.begins)) == (b.keys, b.step_s, b.first_step, dict(b.begins))
    np.testing.assert_array_equal(a.values, b.values)
    np.testing.assert_array_equal(a.marks, b.marks)


def _sound(keeper: DemandKeeper, first: int, steps: int) -> None:
    kept = keeper.load(KEYS, 60, first, first + steps)
    assert (kept.marks == UNASKED).all()


def test_what_was_saved_is_loaded_bit_for_bit_after_a_restart(tmp_path: Path) -> None:
    piece = _piece(20_000_000, 1000)
    piece.values[0, piece.marks[0] == 0] = 0.1 + 0.2
    with DemandStore.open(tmp_path / "demand.db") as store:
        store.save([piece])
    with DemandStore.open(tmp_path / "demand.db") as store:
        _same(store.load(KEYS, 60, 20_000_000, 20_001_000), piece)
        wider = store.load((KEYS[1], "stranger"), 60, 19_999_000, 20_002_000)
    np.testing.assert_array_equal(wider.values[0, 1000:2000], piece.values[1])
    assert (wider.marks[0, :1000] == UNASKED).all()
    assert (wider.marks[0, 2000:] == UNASKED).all()
    assert (wider.marks[1] == UNASKED).all()
    assert np.isnan(wider.values[1]).all()


SAVES = st.lists(
    st.tuples(st.integers(0, 900), st.integers(1, 800), st.sampled_from([KEYS, KEYS[:1], KEYS[1:]])), max_size=6
)


@settings(max_examples=25, deadline=None)
@given(saves=SAVES, step_s=st.sampled_from([60, 15, 7, 3600]), together=st.booleans())
def test_pieces_in_any_order_are_kept_as_the_twin_keeps_them(
    tmp_path_factory: pytest.TempPathFactory, saves: list[tuple[int, int, tuple[str, ...]]], step_s: int, together: bool
) -> None:
    zero = 1_700_000_000 // step_s
    twin = MemoryDemandStore()
    pieces = [_piece(zero + first, steps, keys, k, step_s) for k, (first, steps, keys) in enumerate(saves)]
    with DemandStore.open(tmp_path_factory.mktemp("any") / "demand.db", keep_days=1000) as store:
        for batch in [pieces] if together else [[piece] for piece in pieces]:
            store.save(batch)
            twin.save(batch)
        window = (KEYS, step_s, zero - 50, zero + 1800)
        _same(store.load(*window), twin.load(*window))


def test_a_value_is_not_lost_to_a_later_fault_and_an_unknown_step_stays_final(store: DemandStore) -> None:
    first = 20_000_000

    def say(*marks: int) -> list[int]:
        codes = np.array([marks], dtype=np.uint8)
        values = np.where(codes <= LAST_VALUED, 7.0, np.nan)
        store.save([KeptDemand(KEYS[:1], 60, first, values, codes)])
        return list(store.load(KEYS[:1], 60, first, first + len(marks)).marks[0])

    ok, partial, missing, away = DataVerdict.OK, DataVerdict.PARTIAL, DataVerdict.MISSING, DataVerdict.UNREACHABLE
    assert say(ok, partial, missing, UNASKED, away) == [ok, partial, missing, UNASKED, away]
    assert say(missing, missing, missing | FINAL, away, UNASKED) == [ok, partial, missing | FINAL, away, away]
    assert say(away, ok, DataVerdict.STALE, missing, missing) == [ok, ok, DataVerdict.STALE | FINAL, missing, missing]
    assert say(ok, ok, ok, ok, ok) == [ok] * 5


def test_where_a_source_begins_is_kept(tmp_path: Path) -> None:
    piece = _piece(20_000_000, 10)
    with DemandStore.open(tmp_path / "demand.db") as store:
        store.save([KeptDemand(piece.keys, 60, piece.first_step, piece.values, piece.marks, {KEYS[1]: 19_000_000})])
    with DemandStore.open(tmp_path / "demand.db") as store:
        assert store.load(KEYS, 60, 0, 10).begins == {KEYS[1]: 19_000_000}


def test_the_same_query_on_another_grid_is_another_row(store: DemandStore) -> None:
    store.save([_piece(20_000_000, 10)])
    assert (store.load(KEYS, 30, 20_000_000, 20_000_010).marks == UNASKED).all()


def test_older_than_keep_days_goes_and_rows_with_nothing_left_too(tmp_path: Path) -> None:
    now = int(time.time()) // 60
    path = tmp_path / "demand.db"
    with DemandStore.open(path, keep_days=2) as store:
        store.save([_piece(now - 40 * DAY, DAY, KEYS[:1])])
        store.save([_piece(now - 3 * DAY, 3 * DAY, KEYS[1:2])])
        kept = store.load(KEYS[:2], 60, now - 40 * DAY, now)
        assert (kept.marks[0] == UNASKED).all()
        assert (kept.marks[1, : -2 * DAY - CHUNK] == UNASKED).all()
        assert (kept.marks[1, -2 * DAY :] != UNASKED).any()
        store.save([_piece(now, 1, KEYS[:1])])
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT count(*) FROM demand_row").fetchone() == (2,)
    raw.close()


def test_M22_a_piece_from_the_future_prunes_nothing_that_the_clock_still_wants(tmp_path: Path) -> None:
    now = int(time.time()) // 60
    with DemandStore.open(tmp_path / "demand.db") as store:
        store.save([_piece(now - DAY, DAY)])
        store.save([_piece(now + 100 * DAY, 10)])
        assert (store.load(KEYS, 60, now - DAY, now).marks != UNASKED).any()


def test_pruning_does_not_go_on_with_row_numbers_that_are_gone(tmp_path: Path) -> None:
    now = int(time.time()) // 60
    with DemandStore.open(tmp_path / "demand.db", keep_days=2) as store:
        store.save([_piece(now - 3 * DAY, 10, KEYS[:1])])
        store.save([_piece(now - 10, 10, KEYS[1:2])])
        again = _piece(now - 10, 10, KEYS[:1])
        store.save([again])
        _same(store.load(KEYS[:1], 60, now - 10, now), again)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "not a database": lambda _: b"PK\3\4 something else" * 400,
    "head only": lambda whole: whole[:50],
    "half of it": lambda whole: whole[: len(whole) // 2],
    "first page overwritten": lambda whole: whole[:24] + bytes(range(256)) * 40 + whole[24 + 10240 :],
    "zeroes": lambda whole: bytes(len(whole)),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_E08_a_damaged_file_is_set_aside_and_begun_anew(
    tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "demand.db"
    with DemandStore.open(path) as store:
        store.save([_piece(20_000_000, 3000)])
    damaged = DAMAGE[how](path.read_bytes())
    path.write_bytes(damaged)
    fresh = _piece(20_000_000, 100)
    with caplog.at_level(logging.WARNING, "foresail"), DemandStore.open(path) as store:
        store.load(KEYS, 60, 20_000_000, 20_003_000)
        store.save([fresh])
        assert store.set_aside
        _same(store.load(KEYS, 60, 20_000_000, 20_000_100), fresh)
        _sound(store, 20_000_100, 2900)
    assert (tmp_path / "demand.db.broken").read_bytes()[:50] == damaged[:50]
    assert [m.split()[0] for m in caplog.messages] == ["demand_store_set_aside"]
    assert "history is asked of the sources again" in caplog.text


def test_E08_a_chunk_that_was_overwritten_costs_itself_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, piece = tmp_path / "demand.db", _piece(20_000_160, 3 * CHUNK, KEYS[:1])
    with DemandStore.open(path) as store:
        store.save([piece])
    raw = sqlite3.connect(path)
    [(part, body)] = raw.execute("SELECT part, body FROM demand_chunk ORDER BY part LIMIT 1 OFFSET 1").fetchall()
    raw.execute("UPDATE demand_chunk SET body = ? WHERE part = ?", (body[:-40] + bytes(40), part))
    raw.commit()
    raw.close()
    first = part * CHUNK
    with DemandStore.open(path) as store:
        kept = store.load(KEYS[:1], 60, piece.first_step, piece.end_step)
        gone = slice(first - piece.first_step, first - piece.first_step + CHUNK)
        assert (kept.marks[0, gone] == UNASKED).all()
        np.testing.assert_array_equal(kept.marks[0, : gone.start], piece.marks[0, : gone.start])
        np.testing.assert_array_equal(kept.marks[0, gone.stop :], piece.marks[0, gone.stop :])
        assert store.chunks_lost == 1
        assert "demand_chunk_damaged" in caplog.text
        store.save([piece])
        _same(store.load(KEYS[:1], 60, piece.first_step, piece.end_step), piece)


def test_a_newer_version_s_file_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "demand.db"
    DemandStore.open(path).close()
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA user_version = 9")
    raw.close()
    with DemandStore.open(path) as store:
        assert store.set_aside == "it has version 9, this Foresail writes version 1"
        store.save([_piece(20_000_000, 10)])


def test_places_where_no_file_can_be_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"folder .*nowhere does not exist; create it first"):
        DemandStore.open(tmp_path / "nowhere" / "demand.db")
    with pytest.raises(Refused, match="this is not a file"):
        DemandStore.open(tmp_path)
    with pytest.raises(ValueError, match="positive number of days"):
        DemandStore.open(tmp_path / "demand.db", keep_days=0)


def test_another_program_s_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "foresail.db"
    raw = sqlite3.connect(path)
    raw.execute("CREATE TABLE decisions (id INTEGER)")
    raw.close()
    before = path.read_bytes()
    with pytest.raises(Refused, match=r"other tables \(decisions\).*name another file"):
        DemandStore.open(path)
    assert path.read_bytes() == before
    assert not (tmp_path / "foresail.db.broken").exists()


def test_a_file_that_is_locked_is_retryable_and_nothing_of_the_attempt_stays(
    store: DemandStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store._connection.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    piece = _piece(20_000_000, 10)
    with pytest.raises(Retryable, match="locked"):
        store.save([piece])
    other.execute("ROLLBACK")
    other.close()

    def fails(*_: object) -> bytes:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(adapter, "pack", fails)
        with pytest.raises(MemoryError):
            store.save([piece])
    _sound(store, 20_000_000, 10)
    store.save([piece])
    _same(store.load(KEYS, 60, 20_000_000, 20_000_010), piece)
    assert store.bytes_on_disk > 0


def test_a_full_disk_is_retryable_and_the_next_save_works(store: DemandStore) -> None:
    store._connection.execute("PRAGMA max_page_count = 12")
    with pytest.raises(Retryable, match="full"):
        store.save([_piece(20_000_000, 30_000)])
    store._connection.execute("PRAGMA max_page_count = 100000")
    piece = _piece(20_000_000, 30_000)
    store.save([piece])
    _same(store.load(KEYS, 60, 20_000_000, 20_030_000), piece)


@pytest.mark.parametrize("steps", [0, 1, 7, 1000])
def test_chunks_are_lossless(steps: int) -> None:
    piece = _piece(0, steps, KEYS[:1])
    values, marks = unpack(pack(piece.values[0], piece.marks[0]), steps)
    np.testing.assert_array_equal(values, piece.values[0])
    np.testing.assert_array_equal(marks, piece.marks[0])


def test_what_is_no_demand_is_not_unpacked() -> None:
    marks = np.zeros(4, dtype=np.uint8)
    for values, codes in (
        (np.array([1, 2, -3, 4.0]), marks),
        (np.array([1, 2, np.inf, 4.0]), marks),
        (np.array([1, 2, np.nan, 4.0]), marks),
        (np.ones(4), marks + np.uint8(99)),
        (np.ones(4), marks + np.uint8(FINAL)),
        (np.ones(3), marks[:3]),
    ):
        with pytest.raises(ValueError):
            unpack(pack(values, codes), 4)
    with pytest.raises(ValueError):
        unpack(b"", 4)


def test_smooth_demand_takes_few_bytes(tmp_path: Path) -> None:
    """What docs state per row and day; a noisy rate, the worst of them, is near 11 kB."""
    now, rows = int(time.time()) // 60 // DAY * DAY, 20
    rng = np.random.default_rng(0)
    keys = tuple(f"shop/w{i}/requests=prom:q" for i in range(rows))
    worst = {"counted": 4200, "noisy": 12_400}
    for name, limit in worst.items():
        values = 1000 * rng.random((rows, 4 * DAY))
        values = np.floor(values) if name == "counted" else values
        with DemandStore.open(tmp_path / f"{name}.db") as store:
            store.save([KeptDemand(keys, 60, now - 4 * DAY, values, np.zeros(values.shape, dtype=np.uint8))])
        assert (tmp_path / f"{name}.db").stat().st_size / rows / 4 < limit
