"""After Ctrl-C a command says what was written."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stderr
from datetime import date
from pathlib import Path

import msgspec
import pytest

import storecore
import storecore.cli.copy as copy_module
from storecore.cli.exports.files import whole_file
from storecore.cli.imports import command


def test_an_import_says_how_many_bars_were_written(cli, at, csv_file, stored, monkeypatch):
    def write(*args):
        yield from [command.Counts(added=3, replaced=1)]
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "write_runs", write)
    result = cli("import", csv_file("AAPL,2026-01-05,1,1,1,1,1"), *at)
    assert result.exit_code == 130
    assert (
        "interrupted: 4 bars written, perhaps some of the next batch too; import the files again"
        in result.stderr
    )


def test_a_copy_says_what_was_copied(cli, base_path, tmp_path, ten_bars, monkeypatch):
    def copy_store(source, target, *, progress, **_):
        progress("bars", "AAPL", 10)
        raise KeyboardInterrupt

    stores = (f"file:base_path={base_path}", f"file:base_path={tmp_path / 'other'}")
    monkeypatch.setattr(copy_module, "copy_store", copy_store)
    result = cli("copy", *stores)
    assert result.exit_code == 130
    said = "interrupted: 10 bars copied or found equal, perhaps more; run it again for the rest"
    assert said in result.stderr


HOOK = """
from storecore import hookimpl

@hookimpl
def storecore_written():
    raise KeyboardInterrupt
"""


@pytest.fixture
def interrupted(cli, tmp_path):
    """Run a command that is interrupted in a hook after its first write; return its stderr."""
    file = tmp_path / "observer.py"
    file.write_text(HOOK)

    def run(command, *args):
        result = cli(command, "--plugin", file, *args)
        assert result.exit_code == 130
        return result.stderr

    return run


def test_an_import_interrupted_in_a_hook_does_not_deny_the_write(interrupted, at, csv_file, stored):
    said = interrupted("import", csv_file("AAPL,2026-01-05,1,1,1,1,1"), *at)
    assert "interrupted: 0 bars written, perhaps some of the next batch too; import" in said
    assert len(stored()) == 1


def test_an_import_that_is_interrupted_before_a_write_says_that_there_was_none(
    cli, at, csv_file, monkeypatch
):
    def read(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_read", read)
    result = cli("import", csv_file("AAPL,2026-01-05,1,1,1,1,1"), *at)
    assert "interrupted: no bar written; import the files again" in result.stderr


def test_an_import_of_records_interrupted_in_a_hook_does_not_deny_the_write(
    interrupted, at, opened, tmp_path, event
):
    file = tmp_path / "events.jsonl"
    file.write_bytes(msgspec.json.encode(event()) + b"\n")
    said = interrupted("import", file, "--kind", "events", *at)
    assert "interrupted: some events may be written; import the files again to write" in said
    with opened() as store:
        assert store.read_events(date.min, date.max) == [event()]


def test_a_copy_interrupted_in_a_hook_does_not_deny_the_write(
    interrupted, base_path, tmp_path, ten_bars
):
    target = tmp_path / "other"
    places = f"file:base_path={base_path}", f"file:base_path={target}"
    said = interrupted("copy", *places, "--no-history")
    assert "interrupted: some may be copied; run it again for the rest" in said
    with storecore.open_store("file", base_path=target) as store:
        assert store.read_bars("AAPL") == ten_bars


def test_a_deletion_interrupted_in_a_hook_does_not_deny_it(interrupted, at, ten_bars, stored):
    assert "interrupted: the bars may be removed" in interrupted("delete", "AAPL", "--yes", *at)
    assert stored() == []


@pytest.mark.parametrize("name", ["bars.csv", "bars.csv.gz"])
@pytest.mark.parametrize(
    ("moment", "said"), [("before", "nothing was written"), ("after", "the file is complete")]
)
def test_an_interrupted_export_says_whether_the_file_has_its_name(
    cli, at, ten_bars, tmp_path, monkeypatch, name, moment, said
):
    replace = Path.replace

    def interrupted(part, target):
        if moment == "after":
            replace(part, target)
        raise KeyboardInterrupt

    target = tmp_path / name
    target.write_text("earlier")
    monkeypatch.setattr(Path, "replace", interrupted)
    result = cli("export", "AAPL", "-o", target, *at)
    assert (result.exit_code, result.stderr.strip()) == (130, f"interrupted: {said}")
    assert (target.read_bytes() == b"earlier") is (moment == "before")


def test_an_interrupted_export_into_a_pipe_does_not_deny_the_write(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    reader = os.open(tmp_path / "pipe.csv", os.O_RDONLY | os.O_NONBLOCK)
    said = io.StringIO()
    try:
        with (
            redirect_stderr(said),
            pytest.raises(KeyboardInterrupt),
            whole_file(str(tmp_path / "pipe.csv")),
        ):
            raise KeyboardInterrupt
    finally:
        os.close(reader)
    assert said.getvalue() == "interrupted: a part may be written\n"
