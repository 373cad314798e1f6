"""The table of shapes: each is written in one call, or refused with words that say what to do."""

from __future__ import annotations

import math
import sys
from datetime import datetime
from importlib import util
from pathlib import Path

import pytest

import storecore
from storecore import InvalidData
from storecore.builtin.memory import MemoryDataStore

_SPEC = util.spec_from_file_location("shapes_of_frames", Path(__file__).with_name("shapes.py"))
shapes = util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = shapes
_SPEC.loader.exec_module(shapes)
SHAPES = shapes.SHAPES

EVER = datetime.min, datetime.max
WRITTEN = [name for name, each in SHAPES.items() if not each.words]
REFUSED = [name for name, each in SHAPES.items() if each.words]


def _row(bar):
    extra = getattr(bar, "extra", None)
    shown = extra and {
        k: "nan" if isinstance(v, float) and math.isnan(v) else v for k, v in extra.items()
    }
    row = (bar.symbol, bar.date, bar.close, bar.volume)
    return (*row, shown) if shown else row


@pytest.mark.parametrize("name", WRITTEN)
def test_a_shape_is_written_in_one_call(name):
    make, keywords, rows, _ = SHAPES[name]
    store = MemoryDataStore()
    storecore.write_bar_table(store, make(), **keywords)
    timeframe = keywords.get("timeframe", "1d")
    found = [
        _row(bar)
        for each in store.symbols()
        for bar in store.read_bars(each, *EVER, timeframe=timeframe)
    ]
    assert found == rows


@pytest.mark.parametrize("name", REFUSED)
def test_a_shape_is_refused_with_what_to_do_and_nothing_is_written(name):
    make, keywords, _, words = SHAPES[name]
    store = MemoryDataStore()
    with pytest.raises(InvalidData, match=words):
        storecore.write_bar_table(store, make(), **keywords)
    assert store.symbols() == []


def test_there_are_sixty_shapes():
    assert len(SHAPES) >= 60
