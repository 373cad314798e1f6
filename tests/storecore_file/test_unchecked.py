"""Law D5: what could not be read is not damaged. It is told and left, and all else is checked."""

from __future__ import annotations

import errno
import itertools
import shutil
from datetime import date

import pytest

from storecore import StoreError
from storecore_file import FileDataStore, integrity

ALL = date.min, date.max
CODES = [errno.EACCES, errno.EMFILE, errno.ENOMEM, errno.EIO, MemoryError]
DAMAGED = [
    "prices/AAPL/2026-0*.parquet",
    "fundamentals/AAPL/2026-01-06*.json",
    "events/2026-01-06.parquet",
    "state/.+V+alue.json.1",
]


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)


def files(base):
    return {
        path.relative_to(base): path.read_bytes()
        for path in base.rglob("*")
        if path.is_file() and not path.name.endswith(("lock", ".ends"))  # which know of repairs
    }


@pytest.fixture
def hurt(base, all_kinds, monkeypatch):
    """A store with all kinds of files, some of them damaged; return these."""
    monkeypatch.setattr(integrity, "_PAUSE", 0)
    with FileDataStore(base, durability="os") as store:
        all_kinds(store)
    damaged = [next(base.glob(pattern)) for pattern in DAMAGED]
    for path in damaged:
        damage(path)
    return damaged


def test_the_damage_is_found_where_nothing_fails(hurt, base):
    with FileDataStore(base) as store:
        report = store.verify()
    assert {each.place for each in report.findings} == set(map(str, hurt))
    assert {each.kind for each in report.findings} == {"damaged"}


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize("calls", [1, 10_000])
def test_verify_says_what_it_could_not_check_and_checks_all_else(hurt, base, seeded, calls, step):
    with FileDataStore(base) as store:
        whole = store.verify()
        for at, code, report in seeded.each(CODES, lambda _: store.verify(), calls, step):
            kinds = {each.kind for each in report.findings}
            assert kinds <= {"damaged", "unchecked"}, (at, code, report)
            places = {each.place for each in report.findings if each.kind == "damaged"}
            assert places <= set(map(str, hurt)), (at, code, report)
            if "unchecked" not in kinds:
                assert report == whole, (at, code)
            unseen = [each.place for each in report.findings if each.kind == "unchecked"]
            if calls == 1:
                assert len(unseen) <= 1, (at, code, unseen)
                missed = {path for path in map(str, hurt) if path not in places}
                assert all(any(path.startswith(place) for place in unseen) for path in missed)


@pytest.mark.parametrize(
    ("calls", "step"), [(1, 23), (9_999, 23), pytest.param(1, 1, marks=pytest.mark.soak)]
)
def test_repair_moves_nothing_that_is_whole(hurt, base, tmp_path, seeded, calls, step):
    bad = [path.relative_to(base) for path in hurt]
    before = {path: content for path, content in files(base).items() if path not in bad}
    copies = (tmp_path / f"copy{number}" for number in itertools.count())

    def repair(at):
        try:
            with FileDataStore(copy, durability="os") as store:
                return store.repair()
        except (StoreError, MemoryError) as error:
            return error

    copy = next(copies)
    shutil.copytree(base, copy)
    for at, code, _ in seeded.each(CODES, repair, calls, step):
        after = files(copy)
        assert {path: after.get(path) for path in before} == before, (at, code)
        shutil.rmtree(copy)
        copy = next(copies)
        shutil.copytree(base, copy)
