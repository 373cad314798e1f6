"""Versions of another store are taken in without a moment at which a bar is missing."""

from datetime import UTC, datetime

import pytest

from storecore import PriceBar, open_store
from storecore.builtin.memory import MemoryDataStore

DAYS = [datetime(2026, 1, day, tzinfo=UTC) for day in (5, 6)]
PRICES = (10.0, 30.0, 9.0, 10.0, 500)


def bars(close):
    return [PriceBar("AAPL", day, 10.0, 30.0, 9.0, close, 500) for day in DAYS]


@pytest.fixture
def source():
    with MemoryDataStore() as store:
        store.write_bars("AAPL", bars(10.0))
        yield store


@pytest.fixture
def seen(tmp_path, source, monkeypatch):
    """Take in what the source has replaced since; return what a reader sees after each step."""
    with open_store("file", base_path=tmp_path) as target:
        target.restore_versions(source.bar_versions("AAPL"))

    def restore():
        found = []
        with open_store("file", base_path=tmp_path) as reader:

            def followed(step):
                def work(*args):
                    result = step(*args)
                    found.append([each.close for each in reader.read_bars("AAPL")])
                    return result

                return work

            with monkeypatch.context() as patch, open_store("file", base_path=tmp_path) as target:
                for name in ("exchange", "remove", "replace"):
                    patch.setattr(target._disk, name, followed(getattr(target._disk, name)))
                target.restore_versions(source.bar_versions("AAPL"))
            assert reader.bar_versions("AAPL") == source.bar_versions("AAPL")
        return found

    return restore


def test_a_corrected_bar_is_the_old_one_or_the_new_one_at_each_moment(source, seen):
    source.write_bars("AAPL", bars(20.0)[:1])
    steps = seen()
    assert steps[-1] == [20.0, 10.0]
    assert all(each in ([10.0, 10.0], [20.0, 10.0]) for each in steps)


def test_a_deleted_bar_goes_and_no_other_one(source, seen):
    source.write_bars("AAPL", bars(20.0)[:1])
    source.delete_bars("AAPL", DAYS[1], DAYS[1])
    steps = seen()
    assert steps[-1] == [20.0]
    assert all(each in ([10.0, 10.0], [20.0, 10.0], [20.0]) for each in steps)


def test_a_deleted_bar_goes_from_its_partition_alone(source, seen):
    source.write_bars("AAPL", [PriceBar("AAPL", day.replace(year=2016), *PRICES) for day in DAYS])
    assert len(seen()[-1]) == 4
    source.delete_bars("AAPL", DAYS[1], DAYS[1])
    assert len(seen()[-1]) == 3
