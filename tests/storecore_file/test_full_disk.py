"""Law D2 on a disk that is really full: what was there is whole, and once there is room it goes on.

It needs the right to mount a small disk in memory, which root has.
"""

from __future__ import annotations

import errno
import os
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from storecore import StorageError
from storecore_file import FileDataStore

JAN_5 = datetime(2026, 1, 5)
ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
pytestmark = pytest.mark.soak


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 512 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a disk is not allowed here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def until_full(write):
    """Write number after number until the disk is full; return how many were written."""
    for number in range(10_000):
        try:
            write(number)
        except StorageError as error:
            if error.errno != errno.ENOSPC:
                raise
            return number
    raise AssertionError("the disk never was full")


def test_d2_a_full_disk_takes_nothing_and_lets_the_next_write_work(
    small_disk, bar, event, decision, fundamental
):
    text = "x" * 2_000
    with FileDataStore(small_disk / "data") as store:
        writes = {
            "bars": lambda n: store.write_bars(
                "AAPL", [bar(JAN_5 + timedelta(days=n, minutes=m), m / 7) for m in range(200)]
            ),
            "events": lambda n: store.write_event(event(payload={"n": n, "text": text})),
            "decisions": lambda n: store.log_decision(str(n), decision(reasoning=text)),
            "documents": lambda n: store.write_fundamental(
                "AAPL", fundamental(JAN_5 + timedelta(n), employees=n, raw_xml=text)
            ),
            "state": lambda n: store.save_strategy_state("value", {"n": n, "text": text * n}),
        }
        for write in writes.values():
            write(0)
        ballast = small_disk / "ballast"
        for kind, write in writes.items():
            room = os.statvfs(small_disk)
            ballast.write_bytes(bytes(max(0, room.f_bavail * room.f_frsize - 40_000)))
            done = until_full(write)
            report = store.verify()
            assert report.ok, (kind, report.findings)
            ballast.unlink()
            write(done)
            assert store.verify().ok
        assert len(store.read_bars("AAPL", *ALWAYS)) % 200 == 0
        assert not list((small_disk / "data").rglob("*.tmp"))


def test_k1_a_full_disk_takes_no_correction_and_keeps_what_was_replaced(
    small_disk, bar, event, fundamental
):
    days = [JAN_5 + timedelta(minutes=minute) for minute in range(200)]
    text, moments = "x" * 2_000, {}

    def noted(kind, write):
        def correct(n):
            write(n)
            if n % 7 == 0:
                moments.setdefault(kind, []).append((n, store.recorded_now()))

        return correct

    def replace_event(n):
        store.delete_events(*ALWAYS)
        store.write_event(event(payload={"n": n, "text": text}))

    with FileDataStore(small_disk / "data") as store:
        writes = {
            "a bar": lambda n: store.write_bars("AAPL", [bar(JAN_5, float(n))], timeframe="1d"),
            "bars": lambda n: store.write_bars(
                "AAPL", [bar(day, float(n)) for day in days], timeframe="1m"
            ),
            "filings": lambda n: store.write_fundamental(
                "AAPL", fundamental(JAN_5, employees=n, raw_xml=text)
            ),
        }
        held = {
            "a bar": lambda at: {each.bar.close for each in store.bar_versions("AAPL", **at)},
            "bars": lambda at: {
                each.bar.close for each in store.bar_versions("AAPL", timeframe="1m", **at)
            },
            "filings": lambda at: {
                each.data.employees for each in store.fundamental_versions("AAPL", **at)
            },
        }
        replace_event(0)
        for kind, write in writes.items():
            noted(kind, write)(0)
        for kind, write in writes.items():
            room = os.statvfs(small_disk)
            ballast = small_disk / "ballast"
            ballast.write_bytes(bytes(max(0, room.f_bavail * room.f_frsize - 60_000)))
            done = until_full(lambda n, kind=kind, write=write: noted(kind, write)(n + 1)) + 1
            report = store.verify()
            assert report.ok, (kind, report.findings)
            assert held[kind]({"recorded": store.recorded_now()}) == {done - 1}
            ballast.unlink()
            write(done)
            assert held[kind]({}) == set(range(done + 1))
            assert store.verify().ok
        replace_event(1)
        for kind, asked in moments.items():
            assert [held[kind]({"recorded": at}) for _, at in asked] == [{n} for n, _ in asked]
        assert [each.event.payload["n"] for each in store.event_versions()] == [0, 1]
