"""A copy that was killed, wherever it was, is run again and ends as if it had not been."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from datetime import datetime, timedelta

import pytest

import storecore
from storecore import Event, PriceBar, copy_store

JAN_5 = datetime(2026, 1, 5)
COPY = """
import sys
import storecore

source = storecore.open_store("file", base_path=sys.argv[1])
target = storecore.open_store("file", base_path=sys.argv[2])
print(flush=True)
storecore.copy_store(source, target)
"""
UNTRACED = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}


@pytest.fixture
def full(tmp_path, fundamental, decision, sent):
    """A store of files with some thousands of records of each kind."""
    with storecore.open_store("file", base_path=tmp_path / "full", durability="os") as store:
        for symbol in ("AAPL", "MSFT"):
            rows = range(1_000)
            bars = [PriceBar(symbol, JAN_5 + timedelta(n), 1, 2, 1, 1.5, n) for n in rows]
            store.write_bars(symbol, bars)
            for day in range(20):
                data = fundamental(JAN_5 + timedelta(day), symbol=symbol)
                store.write_fundamental(symbol, data)
        days = [JAN_5 + timedelta(hours=n // 2) for n in range(2_000)]
        store.write_events(
            Event("news", None, at, at, "feed", {"n": n}) for n, at in enumerate(days)
        )
        for number in range(30):
            store.save_strategy_state(f"S{number % 10}", {"number": number})
        store.log_decisions("value", [decision()] * 2_000)
        store.log_orders("value", [sent()] * 2_000)
        yield store


def test_a_copy_that_is_killed_again_and_again_ends_equal(full, tmp_path):
    command = [sys.executable, "-c", COPY, str(full.base_path), str(tmp_path / "copy")]
    chance, kills, ended = random.Random(6), 0, False
    while kills < 5 and not ended:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env=UNTRACED)
        process.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.15))
        ended = process.poll() is not None
        process.kill()
        process.communicate()
        kills += not ended
    assert kills
    with storecore.open_store("file", base_path=tmp_path / "copy") as target:
        report = copy_store(full, target)
        assert report.ok, report.differences
        assert target.verify().ok
        assert sum(each.added for each in copy_store(full, target).copied) == 0
