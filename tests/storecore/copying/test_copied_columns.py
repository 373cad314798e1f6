"""Bars that were never replaced are copied in columns, with their instants of recording."""

from datetime import UTC, datetime

import pytest

from storecore import PriceBar, StorageError, copy_store, open_store
from storecore.builtin.memory import MemoryDataStore
from storecore.builtin.memory.bars import MemoryBars
from storecore.builtin.readonly import ReadonlyStore
from storecore.store.base import Store
from storecore.store.collections import BarCollection
from storecore.store.wrapper import Wrapper
from storecore.values.times import EVER

DAYS = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 6)]
pytestmark = pytest.mark.few(3)  # of the pairs of backends
PAIRS = ["memory-memory", "memory-file", "file-memory", "file-file", "postgres-file"]
PAIRS += ["memory-postgres"]


def bars(close, **further):
    return [
        PriceBar("AAPL", day, 10.0, 30.0, 9.0, close, volume, extra=further or None)
        for day, volume in zip(DAYS, (500, 0.5, None, 0, 7), strict=True)
    ]


@pytest.fixture(params=PAIRS)
def pair(request, tmp_path):
    def opened(backend, name):
        if backend == "postgres":
            return open_store(backend, **request.getfixturevalue("place_in_postgres"))
        options = {} if backend == "memory" else {"base_path": tmp_path / name}
        return open_store(backend, **options)

    source, target = request.param.split("-")
    with opened(source, "source") as given, opened(target, "target") as kept:
        given.write_bars("AAPL", bars(10.0)[:3])
        given.write_bars("AAPL", bars(11.0, vwap=1.5)[3:])
        yield given, kept


@pytest.fixture
def without_objects(monkeypatch):
    """Make it an error to ask for a version as an object."""

    def refuse(*args, **kwargs):
        raise AssertionError("versions were asked for one by one")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "bar_versions", refuse)
        patch.setattr(Store, "restore_versions", refuse)
        yield


def is_copy(target, source):
    return target.bar_versions("AAPL") == source.bar_versions("AAPL")


@pytest.mark.usefixtures("without_objects")
def test_no_version_is_made_an_object(pair):
    assert copy_store(*pair).ok


def test_the_copy_has_the_instants_of_the_source(pair):
    source, target = pair
    report = copy_store(*pair)
    assert report.notes == ()
    assert [each.added for each in report.copied] == [5]
    assert is_copy(target, source)


def test_a_second_copy_writes_nothing_without_a_look_at_each(pair, request):
    copy_store(*pair)
    request.getfixturevalue("without_objects")
    again = copy_store(*pair)
    assert again.ok
    assert [each.added for each in again.copied] == [0]


def test_what_was_written_since_is_added(pair):
    source, target = pair
    source.delete_bars("AAPL", DAYS[3], DAYS[4])
    copy_store(*pair)
    source.write_bars("AAPL", bars(12.0)[3:])
    assert copy_store(*pair).ok
    assert is_copy(target, source)


def test_a_volume_that_no_float_equals_is_copied(pair):
    source, target = pair
    large = PriceBar("MSFT", DAYS[0], 10.0, 30.0, 9.0, 10.0, 2**53 + 1)
    source.write_bars("MSFT", [large, PriceBar("MSFT", DAYS[1], 10.0, 30.0, 9.0, 10.0, 0.5)])
    assert copy_store(*pair).ok
    assert target.bar_versions("MSFT") == source.bar_versions("MSFT")


def test_bars_recorded_after_the_copy_began_are_left_to_the_next_one(pair, monkeypatch):
    source, target = pair
    began = source.recorded_now()
    source.write_bars("MSFT", [PriceBar("MSFT", DAYS[0], 10.0, 30.0, 9.0, 10.0, 5)])
    with monkeypatch.context() as patch:
        patch.setattr(source, "recorded_now", lambda: began)
        assert copy_store(*pair).ok
    assert target.symbols() == ["AAPL"]
    assert is_copy(target, source)


def test_bars_of_another_writer_stay_versions(pair):
    source, target = pair
    target.restore_versions(source.bar_versions("AAPL", DAYS[0], DAYS[0]))
    assert target.restore_unreplaced("AAPL", "1d", source.unreplaced_bars("AAPL", EVER, "1d"))
    assert is_copy(target, source)


@pytest.mark.usefixtures("without_objects")
def test_a_store_opened_for_reading_is_read_in_columns(pair):
    source, target = pair
    assert copy_store(ReadonlyStore(source), target).ok


def test_a_store_around_one_without_columns_is_asked_for_versions(pair):
    source, target = pair
    assert copy_store(ReadonlyStore(Wrapper(source)), target).ok
    assert is_copy(target, source)


def test_a_target_opened_for_reading_takes_nothing(pair):
    source, target = pair
    with pytest.raises(StorageError, match="is opened for reading only"):
        copy_store(source, ReadonlyStore(target))
    assert target.symbols() == []


def test_a_backend_that_has_no_columns_of_its_own_is_asked_for_versions(monkeypatch):
    for name in ("unreplaced", "restore_unreplaced"):
        monkeypatch.setattr(MemoryBars, name, getattr(BarCollection, name))
    with MemoryDataStore() as source, MemoryDataStore() as target:
        source.write_bars("AAPL", bars(10.0))
        assert copy_store(source, target).ok
        assert is_copy(target, source)


def test_a_wrapper_takes_versions(pair):
    source, target = pair
    assert copy_store(source, Wrapper(target)).ok
    assert is_copy(target, source)


def test_a_correction_in_the_target_meanwhile_is_a_difference(pair, monkeypatch):
    target = pair[1]
    restore = target.restore_unreplaced

    def corrected(*args):
        done = restore(*args)
        target.write_bars("AAPL", bars(12.0)[:1])
        return done

    monkeypatch.setattr(target, "restore_unreplaced", corrected)
    report = copy_store(*pair)
    assert report.notes == ()
    assert [each.kind for each in report.differences] == ["bars", "history of bars"]


def test_a_target_that_cannot_take_columns_takes_versions():
    class Plain:
        """A store with the methods of another one, but for those of columns."""

        def __init__(self, store):
            self._store = store

        def __getattr__(self, name):
            if name in ("restore_unreplaced", "unreplaced_bars"):
                raise AttributeError(name)
            return getattr(self._store, name)

    with MemoryDataStore() as source, MemoryDataStore() as target:
        source.write_bars("AAPL", bars(10.0))
        assert copy_store(source, Plain(target)).ok
        assert is_copy(target, source)
