"""What a decoder says that proves damage, and what proves nothing (law D5)."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from storecore import CorruptData, StorageError
from storecore_file import FileDataStore
from storecore_file.bars import partition
from storecore_file.fs.seal import decode_errors

PATH = Path("a.parquet")


@pytest.mark.parametrize(
    "error", [ValueError("x"), pa.ArrowInvalid("x"), KeyError("x"), pa.ArrowKeyError("x")]
)
def test_content_that_is_wrong_is_damage(error):
    with (
        pytest.raises(CorruptData, match=r"a\.parquet: not a whole file: "),
        decode_errors(PATH, "file"),
    ):
        raise error


STOPPED = [
    (MemoryError(), "out of memory"),
    (pa.ArrowMemoryError("realloc of size 9 failed"), r"out of memory \(realloc"),
    (OSError("ZSTD decompression failed: Allocation error"), "Allocation error"),
    (OSError(11, "Resource temporarily unavailable"), "Resource temporarily"),
    (pa.ArrowException("Unknown error: Failed to launch worker thread"), "worker thread"),
    (RuntimeError("can't start new thread"), "new thread"),
    (RecursionError("maximum recursion depth exceeded"), "recursion"),
    (pa.ArrowNotImplementedError("Support for codec 'zstd' not built"), "codec"),
    (RuntimeError(), "RuntimeError"),
]


@pytest.mark.parametrize(("error", "says"), STOPPED)
def test_a_decoder_that_is_stopped_proves_nothing(error, says):
    with pytest.raises(StorageError, match=says) as caught, decode_errors(PATH, "file"):
        raise error
    assert type(caught.value) is StorageError
    assert caught.value.path == str(PATH)


@pytest.mark.parametrize("error", [StorageError("x"), CorruptData("x"), KeyboardInterrupt()])
def test_an_error_that_says_what_it_means_stays_as_it_is(error):
    with pytest.raises(type(error)) as caught, decode_errors(PATH, "file"):
        raise error
    assert caught.value is error


def test_another_error_is_a_mistake_of_ours_and_stays():
    with pytest.raises(TypeError), decode_errors(PATH, "file"):
        raise TypeError


DECODERS = [
    ("pyarrow.parquet.ParquetFile.__init__", "events/2026-01-06.parquet"),
    ("pyarrow.parquet.ParquetFile.__init__", "prices/AAPL/2026-01.parquet"),
    ("storecore_file.states.unsealed", "state/momentum.json"),
    ("storecore_file.fundamentals.unsealed", "fundamentals/AAPL/2026-01-06T00-00-00.000000Z.json"),
    ("storecore_file.events.days.unsealed", "events/2026-01-07.jsonl"),
]


@pytest.mark.parametrize("error", [MemoryError(), RecursionError(), pa.ArrowMemoryError("x")])
@pytest.mark.parametrize(("decoder", "place"), DECODERS)
def test_a_decoder_without_memory_moves_nothing(
    base, all_kinds, monkeypatch, error, decoder, place
):
    with FileDataStore(base, durability="os") as store:
        all_kinds(store)

    def stopped(*_, **__):
        raise error

    with FileDataStore(base, durability="os") as store, monkeypatch.context() as patch:
        patch.setattr(decoder, stopped)
        partition._parsed_before.cache_clear()
        report = store.repair()
        assert report.actions == ()
        assert (str(base / place), "unchecked") in {
            (each.place, each.kind) for each in report.findings
        }
        assert {each.kind for each in report.findings} == {"unchecked"}
    with FileDataStore(base, durability="os") as store:
        assert store.verify().ok
