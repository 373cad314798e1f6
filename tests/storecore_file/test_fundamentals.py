"""The room of fundamentals: a document a moment, and the moment exactly as it was written."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from storecore.errors import CorruptData, StorageError
from storecore_file.fs.disk import Disk
from storecore_file.fs.seal import sealed, unsealed

JAN_5 = datetime(2026, 1, 5)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def folder(base):
    return base / "fundamentals" / "AAPL"


def documents(folder):
    return sorted(path.name for path in folder.iterdir())


def read_back(store, data):
    store.write_fundamental("AAPL", data)
    return store.read_fundamental("AAPL")


@pytest.mark.parametrize(
    ("moment", "name"),
    [
        (datetime(2026, 1, 5, 21, 30), "2026-01-05T21-30-00.000000Z.json"),
        (datetime(2026, 1, 5, 21, 30, tzinfo=BERLIN), "2026-01-05T20-30-00.000000Z.json"),
        (datetime.min, "0001-01-01T00-00-00.000000Z.json"),
        (datetime(999, 12, 31), "0999-12-31T00-00-00.000000Z.json"),
        (datetime.max, "9999-12-31T23-59-59.999999Z.json"),
    ],
)
def test_a_document_is_named_after_its_instant_in_utc(store, folder, fundamental, moment, name):
    store.write_fundamental("AAPL", fundamental(moment))
    assert documents(folder) == [name]


def test_f2_one_instant_is_one_document_in_whatever_zone(store, folder, fundamental):
    moment = datetime(2026, 1, 5, 12, tzinfo=UTC)
    store.write_fundamental("AAPL", fundamental(moment))
    store.write_fundamental("AAPL", fundamental(moment.astimezone(BERLIN), employees=1))
    assert len(documents(folder)) == 1
    assert store.read_fundamental("AAPL").employees == 1


def test_a_document_is_json_with_its_offset_and_zone(store, folder, fundamental):
    store.write_fundamental("AAPL", fundamental(datetime(2026, 1, 5, tzinfo=BERLIN)))
    (document,) = folder.iterdir()
    fields = json.loads(document.read_text())
    assert fields["timestamp"] == "2026-01-05T00:00:00+01:00"
    assert fields["timezone"] == "Europe/Berlin"


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 1, 5),
        datetime(2026, 1, 5, tzinfo=UTC),
        datetime(2026, 1, 5, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        datetime(2026, 1, 5, tzinfo=timezone(timedelta(seconds=-3_661))),
        datetime(1, 1, 1),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1, 1, 2, tzinfo=BERLIN),
        datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN),  # clocks went from 2 to 3
        datetime(1900, 1, 1, tzinfo=ZoneInfo("Europe/Amsterdam")),
        datetime(9999, 12, 31, 23, 59, 59, 999_999),
    ],
    ids=str,
)
def test_t2_a_moment_comes_back_exactly_as_it_was_written(store, fundamental, moment):
    stamp = read_back(store, fundamental(moment)).timestamp
    assert (stamp, stamp.utcoffset()) == (moment, moment.utcoffset())


@pytest.mark.parametrize("fold", [0, 1])
def test_t2_an_hour_that_a_clock_showed_twice_comes_back_as_the_same_one(store, fundamental, fold):
    moment = datetime(2025, 10, 26, 2, 30, tzinfo=BERLIN, fold=fold)
    stamp = read_back(store, fundamental(moment)).timestamp
    assert (stamp.tzinfo, stamp.fold, stamp.utcoffset()) == (BERLIN, fold, moment.utcoffset())


def test_a_zone_that_this_machine_does_not_know_is_read_by_its_offset(store, folder, fundamental):
    store.write_fundamental("AAPL", fundamental(datetime(2026, 1, 5, tzinfo=BERLIN)))
    (document,) = folder.iterdir()
    fields = json.loads(unsealed(document.read_bytes()))
    document.write_bytes(sealed(json.dumps(fields | {"timezone": "Mars/Olympus"}).encode()))
    stamp = store.read_fundamental("AAPL").timestamp
    assert stamp.isoformat() == "2026-01-05T00:00:00+01:00"


def test_a_file_that_is_not_named_like_an_instant_is_no_document(store, folder, fundamental):
    store.write_fundamental("AAPL", fundamental())
    for name in ("notes.json", "2026-01-06T00-00-00.000000Z.jsonx", ".2027-01-01.tmp"):
        (folder / name).write_bytes(b"garbage")
    assert store.read_fundamental("AAPL") == fundamental()


@pytest.mark.parametrize(
    ("as_of", "day"),
    [
        (datetime(2025, 12, 31), None),
        (datetime(2026, 1, 1), 1),
        (datetime(2026, 1, 1, 23, 59, 59, 999_999), 1),
        (datetime(2026, 1, 3), 3),
        (datetime.max, 3),
        (None, 3),
    ],
)
def test_f1_the_latest_not_after_a_moment_is_found_by_its_name(store, fundamental, as_of, day):
    for written in (3, 1, 2):
        store.write_fundamental("AAPL", fundamental(datetime(2026, 1, written)))
    found = store.read_fundamental("AAPL", as_of)
    assert found == (fundamental(datetime(2026, 1, day)) if day else None)


def test_the_latest_is_found_without_reading_the_others(store, folder, fundamental):
    for day in range(1, 4):
        store.write_fundamental("AAPL", fundamental(datetime(2026, 1, day)))
    for document in sorted(folder.iterdir())[:2]:
        document.write_bytes(b"garbage")
    assert store.read_fundamental("AAPL") == fundamental(datetime(2026, 1, 3))


def test_d5_every_flipped_bit_of_a_document_is_noticed(store, folder, fundamental, flipped_bytes):
    store.write_fundamental("AAPL", fundamental())
    (document,) = folder.iterdir()
    for _ in flipped_bytes(document):
        with pytest.raises(CorruptData, match="not a whole document"):
            store.read_fundamental("AAPL")


@pytest.mark.parametrize("content", [b"", b"garbage", b"{}"])
def test_d5_what_is_no_document_is_corrupt_and_named(store, folder, fundamental, content):
    store.write_fundamental("AAPL", fundamental())
    (document,) = folder.iterdir()
    document.write_bytes(content)
    with pytest.raises(CorruptData) as caught:
        store.read_fundamental("AAPL")
    assert caught.value.path == str(document)


def test_d5_the_document_of_another_symbol_is_not_taken_for_this_one(
    store, base, folder, fundamental
):
    store.write_fundamental("MSFT", fundamental(symbol="MSFT"))
    shutil.copytree(base / "fundamentals" / "MSFT", folder)
    with pytest.raises(CorruptData, match=r"found the document .* of 'MSFT'"):
        store.read_fundamental("AAPL")


def test_d5_a_document_of_another_kind_is_not_taken_for_this_one(store, base, folder, fundamental):
    store.write_fundamental("AAPL", fundamental())
    store.save_strategy_state("value", {"n": 1})
    (document,) = folder.iterdir()
    shutil.copy(base / "state" / "value.json", document)
    with pytest.raises(CorruptData, match="not a whole document"):
        store.read_fundamental("AAPL")


@pytest.mark.parametrize("call", ["write", "fdatasync", "replace"])
def test_d2_a_document_that_cannot_be_replaced_stays(
    store, fundamental, failing, call, monkeypatch
):
    store.write_fundamental("AAPL", fundamental())
    failing(call)
    with pytest.raises(StorageError, match=r"(Z\.json|AAPL\.jsonl): cannot (write|append to)"):
        store.write_fundamental("AAPL", fundamental(employees=1))
    monkeypatch.undo()
    assert store.read_fundamental("AAPL") == fundamental()


def test_f1_a_document_under_the_name_of_an_earlier_moment_is_corrupt(store, base, fundamental):
    store.write_fundamental("AAPL", fundamental(datetime(2026, 3, 1)))
    (march,) = (base / "fundamentals" / "AAPL").iterdir()
    march.rename(march.with_name(march.name.replace("-03-", "-01-")))
    with pytest.raises(CorruptData, match="found the document 2026-03-01"):
        store.read_fundamental("AAPL", as_of=datetime(2026, 1, 15))


# The versions of one symbol, and which symbols there are.


@pytest.fixture
def filed(store, fundamental):
    """A store with five days of AAPL, and symbols whose folders are named otherwise."""
    days = [JAN_5 + timedelta(day) for day in range(5)]
    store.write_fundamentals([fundamental(day) for day in days])
    for symbol in ("brk/b", "x" * 300):
        store.write_fundamental(symbol, fundamental(symbol=symbol))
    return store


def test_the_versions_of_a_symbol_are_those_of_a_range(filed, fundamental):
    days = [JAN_5 + timedelta(day) for day in range(5)]
    assert filed.fundamentals("AAPL") == [fundamental(day) for day in days]
    assert filed.fundamentals("AAPL", days[1], days[3]) == [fundamental(day) for day in days[1:4]]
    assert filed.fundamentals("AAPL", days[3] + timedelta(microseconds=1)) == [fundamental(days[4])]
    assert filed.fundamentals("MSFT") == []


def test_versions_are_read_of_one_symbol_alone(filed, base):
    (base / "fundamentals" / "+brk%2Fb").joinpath("2020-01-01T00-00-00.000000Z.json").touch()
    assert len(filed.fundamentals("AAPL")) == 5


def test_a_version_that_is_gone_by_now_is_left_out(filed, base, monkeypatch):
    path = min((base / "fundamentals" / "AAPL").iterdir())
    real = Disk.read

    def read(self, each):
        path.unlink(missing_ok=True)
        return real(self, each)

    monkeypatch.setattr(Disk, "read", read)
    assert len(filed.fundamentals("AAPL")) == 4


def test_symbols_are_those_that_have_documents(filed, base):
    (base / "fundamentals" / "EMPTY").mkdir()
    (base / "fundamentals" / "not a symbol").mkdir()
    assert sorted(filed.fundamental_symbols()) == sorted(["AAPL", "brk/b", "x" * 300])


def test_documents_of_a_range_are_deleted(filed, fundamental):
    days = [JAN_5 + timedelta(day) for day in range(5)]
    assert filed.delete_fundamentals("AAPL", days[1], days[3]) == 3
    assert filed.fundamentals("AAPL") == [fundamental(days[0]), fundamental(days[4])]
    assert filed.delete_fundamentals("AAPL", days[1], days[3]) == 0
    assert filed.delete_fundamentals("x" * 300, days[0], days[4]) == 1
    assert sorted(filed.fundamental_symbols()) == ["AAPL", "brk/b"]
    assert filed.verify().ok


def test_a_symbol_that_was_never_filed_has_nothing_to_delete(store, base):
    assert store.delete_fundamentals("AAPL", JAN_5, JAN_5) == 0
    assert list((base / "fundamentals").iterdir()) == []


def test_nothing_is_deleted_through_a_link(filed, base, tmp_path):
    folder = base / "fundamentals" / "AAPL"
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="a symbolic link"):
        filed.delete_fundamentals("AAPL", JAN_5, JAN_5)
    assert len(list((tmp_path / "elsewhere").iterdir())) == 5
