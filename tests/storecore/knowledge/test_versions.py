"""Which of the versions of bars were held at an instant, as columns and as a table."""

from __future__ import annotations

import pytest

from storecore import BarColumns, Versions, as_table
from storecore.knowledge.versions import columns_of, held_bars, was_held


@pytest.mark.parametrize(
    ("recorded", "replaced", "expected"),
    [
        (None, None, True),
        (None, 6, True),
        (None, 5, False),
        (5, None, True),
        (6, None, False),
        (5, 6, True),
        (4, 5, False),
    ],
)
def test_a_version_was_held_from_its_recording_until_before_its_replacement(
    recorded, replaced, expected
):
    assert was_held(recorded, replaced, 5) is expected


def columns(dates, closes, extra=None):
    return BarColumns(dates, closes, closes, closes, closes, [1] * len(dates), extra)


EXTRA = [{"x": 1.0}, None, {"x": 2.0}]


@pytest.mark.parametrize("shape", [lambda bars: bars, as_table])
@pytest.mark.parametrize("extra", [None, EXTRA])
def test_the_bars_held_at_an_instant_are_selected_in_order(shape, extra):
    bars = shape(columns([1, 1, 2], [1.0, 2.0, 3.0], extra))
    versions = Versions(bars, [None, 5, 7], [5, None, None])
    for at, rows in ((4, [0]), (5, [1]), (7, [1, 2])):
        found = columns_of(held_bars(versions, at))
        assert found.close == [[1.0, 2.0, 3.0][row] for row in rows]
        chosen = [EXTRA[row] for row in rows]
        assert found.extra == (chosen if extra and any(chosen) else None)


def test_bars_that_were_all_held_are_returned_as_they_are():
    bars = columns([1, 2], [1.0, 2.0])
    assert held_bars(Versions(bars, [1, 1], [None, None]), 1) is bars
