"""Many versions of a write are packed: as whole, found damaged and pruned as single ones are."""

import base64
import json
import math
import random
from datetime import UTC, datetime, timedelta

import msgspec
import pyarrow as pa
import pytest

from storecore import PriceBar
from storecore.builtin.memory import MemoryDataStore
from storecore.errors import CorruptData, StorageError
from storecore_file import FileDataStore
from storecore_file.bars import history
from storecore_file.fs.seal import sealed, unsealed

DAY = datetime(2026, 1, 1)
ALWAYS = datetime.min, datetime.max
NAN = float("nan")
LARGE = 2**53 + 1


def bar(number, close, volume=7, **extra):
    date = DAY + timedelta(minutes=number)
    return PriceBar("A", date, 1.0, 9.0, 0.5, close, volume, extra or None)


@pytest.fixture
def store(tmp_path):
    with FileDataStore(tmp_path / "data", durability="os") as opened:
        yield opened


@pytest.fixture
def corrected(store):
    """A store of which 100 bars were replaced by one write."""
    for close in (1.0, 2.0):
        store.write_bars("A", [bar(number, close) for number in range(100)], timeframe="1m")
    return store


def log_of(store, timeframe="1m"):
    return store.base_path / "history" / "prices" / "A" / f"{timeframe}.jsonl"


def lines_of(store):
    return [json.loads(line) for line in log_of(store).read_bytes().splitlines()]


def reseal(store, **changed):
    """Change members of the first line of the log, and seal it again."""
    line = json.loads(unsealed(log_of(store).read_bytes()))
    log_of(store).write_bytes(sealed(msgspec.json.encode(line | changed)))


def test_few_bars_stay_json_and_many_are_packed(store):
    for close in (1.0, 2.0):
        store.write_bars("A", [bar(number, close) for number in range(64)], timeframe="1m")
    store.write_bars("A", [bar(number, 3.0) for number in range(65)], timeframe="1m")
    store.write_bars("A", [bar(number, 4.0) for number in range(65)], timeframe="1m")
    assert ["partition" in line for line in lines_of(store)] == [False, False, True]


def test_a_long_correction_is_cut_into_lines(corrected, monkeypatch):
    monkeypatch.setattr(history, "_LINE_ROWS", 70)
    corrected.write_bars("A", [bar(number, 3.0) for number in range(100)], timeframe="1m")
    assert ["partition" in line for line in lines_of(corrected)] == [True, True, False]
    versions = corrected.bar_versions("A", *ALWAYS, timeframe="1m")
    assert [each.bar.close for each in versions] == [1.0, 2.0, 3.0] * 100


def test_a_bar_of_a_long_correction_takes_few_bytes_in_the_log(store):
    rng = random.Random(1)
    for _ in range(2):
        bars = [bar(number, round(rng.uniform(1, 9), 2)) for number in range(5_000)]
        store.write_bars("A", bars, timeframe="1m")
    assert log_of(store).stat().st_size < 15 * 5_000  # as JSON it takes 70 a bar


def bars_of_any_kind(rng):
    """Return bars with values that JSON does not keep, or only in another form."""
    first, count = rng.randrange(150), rng.randrange(1, 150)
    closes = (0.5, -0.0, 1e-300, 2.5)
    volumes = (7, None, LARGE, LARGE + 1, 0.1)
    extras = (
        {},
        {"x": NAN},
        {"x": -math.inf, "n": LARGE},
        {"at": DAY.replace(tzinfo=UTC), "s": "ü", "b": False},
    )
    return [
        bar(number, abs(rng.choice(closes)), rng.choice(volumes), **rng.choice(extras))
        for number in range(first, first + count)
    ]


def versions_of(store):
    return [
        (each.bar.date, repr(each.bar), each.replaced_at is None)
        for each in store.bar_versions("A", *ALWAYS, timeframe="1m")
    ]


@pytest.mark.parametrize("seed", range(4))
def test_k3_the_versions_of_random_corrections_are_those_of_memory(store, seed):
    rng, model = random.Random(seed), MemoryDataStore()
    for _ in range(8):
        if rng.random() < 0.2:
            first = DAY + timedelta(minutes=rng.randrange(200))
            for each in (store, model):
                each.delete_bars("A", first, first + timedelta(hours=2), timeframe="1m")
        bars = bars_of_any_kind(rng)
        for each in (store, model):
            each.write_bars("A", bars, timeframe="1m")
    assert versions_of(store) == versions_of(model)
    assert {"partition" in line for line in lines_of(store)} == {True, False}
    store.compact()
    with FileDataStore(store.base_path) as again:
        assert versions_of(again) == versions_of(model)


def test_each_version_keeps_its_own_instant_of_recording(corrected):
    corrected.write_bars("A", [bar(number, 3.0) for number in range(40, 45)], timeframe="1m")
    before = {
        (each.bar.date, each.bar.close): each.recorded_at
        for each in corrected.bar_versions("A", *ALWAYS, timeframe="1m")
    }
    corrected.write_bars("A", [bar(number, 4.0) for number in range(100)], timeframe="1m")
    past = [
        each for each in corrected.bar_versions("A", *ALWAYS, timeframe="1m") if each.replaced_at
    ]
    assert {(each.bar.date, each.bar.close): each.recorded_at for each in past} == before
    assert "partition" in lines_of(corrected)[-1]


def test_packed_numbers_keep_their_bits(store):
    bits = [0x7FF8_0000_0000_0000 + number for number in range(100)]
    prices = {name: [1.0] * 100 for name in ("open", "high", "low", "close", "volume")}
    dates = pa.array([DAY + timedelta(minutes=number) for number in range(100)])
    own = pa.array(bits, pa.int64()).view(pa.float64())
    store.write_bar_table(pa.table({"date": dates, **prices, "x": own}), symbol="A")
    store.write_bar_table(pa.table({"date": dates, **prices, "x": [1.0] * 100}), symbol="A")
    table = store._bars._history.table(("A", "1d"))
    assert table["x"].combine_chunks().view(pa.int64()).to_pylist() == bits


def findings(store):
    return [(each.kind, each.place.rpartition("/")[2]) for each in store.verify().findings]


def test_a_flipped_byte_of_packed_bars_is_found_and_named(corrected):
    content = bytearray(log_of(corrected).read_bytes())
    at = content.index(b'"partition":"') + 500
    content[at] ^= 1
    log_of(corrected).write_bytes(content)
    assert findings(corrected) == [("damaged", "1m.jsonl")]
    with pytest.raises(CorruptData, match=r"1m\.jsonl"):
        corrected.bar_versions("A", *ALWAYS, timeframe="1m")


DAMAGE = {
    "a wrong byte": lambda content: content[:100] + bytes([content[100] ^ 1]) + content[101:],
    "a lost end": lambda content: content[:-20],
    "no partition": lambda content: b"PAR1",
}


@pytest.mark.parametrize("name", DAMAGE)
def test_packed_bars_that_were_damaged_before_they_were_sealed_are_found(corrected, name):
    content = base64.b64decode(lines_of(corrected)[0]["partition"])
    reseal(corrected, partition=base64.b64encode(DAMAGE[name](content)).decode())
    assert findings(corrected) == [("damaged", "1m.jsonl")]
    with pytest.raises(CorruptData, match=r"1m\.jsonl"):
        corrected.bar_versions("A", *ALWAYS, timeframe="1m")


@pytest.mark.parametrize(
    "changed", [{"partition": "?"}, {"symbol": "B"}, {"timeframe": "5m"}, {"recorded": "x"}]
)
def test_a_line_that_does_not_fit_its_packed_bars_is_damage(corrected, changed):
    reseal(corrected, **changed)
    assert findings(corrected) == [("damaged", "1m.jsonl")]


def test_a_line_without_bars_is_damage(corrected):
    reseal(corrected, partition="")
    assert findings(corrected) == [("damaged", "1m.jsonl")]


def test_columns_of_different_lengths_are_damage(store):
    for close in (1.0, 2.0):
        store.write_bars("A", [bar(1, close)], timeframe="1m")
    reseal(store, recorded=[1, 2])
    assert findings(store) == [("damaged", "1m.jsonl")]


def test_packed_bars_of_a_later_release_say_so(corrected, monkeypatch):
    monkeypatch.setattr("storecore_file.bars.partition.VERSION", 2)
    with pytest.raises(StorageError, match="newer storecore"):
        list(history.BarHistory(corrected._clock, corrected._disk).table(("A", "1m")))


def test_packed_bars_are_pruned_by_line_and_the_numbers_go_on(corrected):
    corrected.write_bars("A", [bar(number, 3.0) for number in range(100)], timeframe="1m")
    first, second = lines_of(corrected)
    corrected.prune_history(datetime.fromtimestamp(first["until"] / 1e6 + 1e-6, UTC))
    assert lines_of(corrected) == [second]
    corrected.write_bars("A", [bar(1, 4.0)], timeframe="1m")
    assert [line["n"] for line in lines_of(corrected)] == [2, 3]
    assert corrected.verify().findings == ()
