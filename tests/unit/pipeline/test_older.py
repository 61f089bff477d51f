"""Rows learn again when older demand has come in: at once, and then from all that comes within a minute together."""

import numpy as np

from autoscaler.intake.handover import Handover, Piece
from autoscaler.intake.history import History
from autoscaler.pipeline.older import RELEARN_S, Older


def test_the_first_piece_counts_at_once_and_the_next_ones_together_a_minute_later():
    older = Older()
    assert older.due(["a", "b"], 0.0) == ("a", "b")
    assert older.due(["a"], 15.0) == ()
    assert older.due(["a", "c"], 30.0) == ("c",)
    assert older.due([], RELEARN_S - 1) == ()
    assert older.due([], RELEARN_S) == ("a",)
    assert older.due([], RELEARN_S + 15) == ()


def test_a_clock_that_was_set_back_makes_nobody_wait_for_it():
    older = Older()
    assert older.due(["a"], 1e9) == ("a",)
    assert older.due(["a"], 1e9 - 86_400) == ("a",)


def test_nothing_is_kept_of_rows_that_have_waited_long_enough():
    older = Older()
    for turn in range(100):
        older.due([f"row-{turn}"], turn * RELEARN_S)
    assert len(older._learned_s) == 1


def test_history_names_the_rows_of_which_older_demand_came_once(make_fleet):
    fleet = make_fleet(lanes=2)
    keys = fleet.row_keys()
    link = Handover()
    history = History(60, 1000, recent_steps=10, handover=link)

    class Reader:
        def load(self, demands, first_step, end_step, step_s):
            raise ConnectionError("away")

    history.collect(Reader(), fleet, 5000)
    assert history.older() == ()
    values = np.ones((1, 100))
    link.found.append(Piece((keys[1],), 4500, values, np.zeros(values.shape, dtype=np.uint8)))
    link.found.append(Piece(("gone",), 4500, values, np.zeros(values.shape, dtype=np.uint8)))
    history.collect(Reader(), fleet, 5001)
    assert history.older() == (keys[1],)
    assert history.older() == ()
