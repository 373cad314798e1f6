"""`storecore import --kind` reads events, fundamentals and states from JSON lines."""

from __future__ import annotations

import json

import pytest

EVENT = {
    "type": "split",
    "symbol": "AAPL",
    "timestamp": "2026-01-05T00:00:00Z",
    "ingested_at": "2026-01-05T00:00:00Z",
    "source": "feed",
    "payload": {"ratio": 2},
}
FILING = {
    "symbol": "AAPL",
    "timestamp": "2026-01-05T00:00:00+00:00",
    "timezone": "UTC",
    "company_name": "Apple",
    "cik": "1",
    "raw_xml": "<x/>",
}
STATE = {"strategy": "value", "state": {"cash": 1}}
OF_KINDS = {"events": EVENT, "fundamentals": FILING, "states": STATE}


@pytest.fixture
def lines(tmp_path):
    def write(*records):
        file = tmp_path / "records.jsonl"
        texts = [each if isinstance(each, str) else json.dumps(each) for each in records]
        file.write_text("\n".join(texts) + "\n")
        return file

    return write


@pytest.mark.parametrize("kind", OF_KINDS)
def test_a_dry_run_counts_records_and_creates_no_store(cli, at, base_path, lines, kind):
    result = cli("import", lines(OF_KINDS[kind]), "--kind", kind, "--dry-run", *at)
    assert result.stdout == f"1 {kind[:-1]} found; nothing was written (--dry-run)\n"
    assert not base_path.exists()


@pytest.mark.parametrize("kind", OF_KINDS)
def test_records_that_are_stored_already_are_unchanged(cli, at, lines, kind):
    file = lines(OF_KINDS[kind])
    first, second = (cli("import", file, "--kind", kind, *at).stdout for _ in range(2))
    assert first.startswith("added or replaced 1, unchanged 0\n")
    assert second.startswith("added or replaced 0, unchanged 1\n")


@pytest.mark.parametrize(
    ("kind", "wrong", "told"),
    [
        ("events", "{", "line 2: expected a JSON object with the fields of events"),
        ("fundamentals", "[]", "line 2: expected a JSON object with the fields of fundamentals"),
        ("states", '{"strategy": "", "state": {}}', "line 2: strategy is empty"),
        ("events", {**EVENT, "symbol": ""}, "line 2: events[0].symbol is empty"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_written(cli, at, base_path, lines, kind, wrong, told):
    result = cli("import", lines(OF_KINDS[kind], wrong), "--kind", kind, *at)
    assert told in result.stderr
    assert result.stderr.endswith("nothing was written\n")
    assert not base_path.exists()


def test_a_file_without_records_is_an_error(cli, at, lines):
    assert "Error: no events in " in cli("import", lines(""), "--kind", "events", *at).stderr


@pytest.mark.parametrize("kind", ["events", "fundamentals"])
def test_a_backend_without_bulk_takes_records_one_by_one(cli, backend_with, lines, kind):
    result = cli("import", lines(OF_KINDS[kind]), "--kind", kind, *backend_with())
    assert "added or replaced 1, unchanged 0" in result.stdout
