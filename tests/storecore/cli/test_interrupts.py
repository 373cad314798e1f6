"""After Ctrl-C a command says what was written."""

from __future__ import annotations

import storecore.cli.copy as copy_module
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
    assert "interrupted: 10 bars copied or found equal; run it again" in result.stderr
