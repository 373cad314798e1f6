"""`storecore checkpoint` and `storecore verify --against`: what a store held, and what is gone."""

from __future__ import annotations

import json
import re

import pytest
from msgspec.structs import replace

from storecore.store.checkpoints import loaded


@pytest.fixture
def file(cli, at, ten_bars, tmp_path):
    """The checkpoint of a store with ten bars."""
    path = tmp_path / "checkpoint.json"
    assert cli("checkpoint", "-o", path, *at).exit_code == 0
    return path


def test_it_is_written_to_stdout(cli, at, ten_bars, opened, tmp_path):
    result = cli("checkpoint", *at)
    assert result.exit_code == 0
    (tmp_path / "checkpoint.json").write_text(result.stdout)
    with opened() as store:
        assert loaded(tmp_path / "checkpoint.json").bars == store.checkpoint().bars


def test_it_is_written_to_a_file_and_summed_up(cli, at, ten_bars, tmp_path):
    path = tmp_path / "checkpoint.json"
    result = cli("checkpoint", "--output", path, *at)
    assert result.stdout == (
        "1 series, fundamentals of 0 symbols, events of 0 days, 0 states, 0 audit logs: "
        f"written to {path}\n"
    )
    assert loaded(path).bars[0].count == 10


def test_a_store_that_lost_nothing_is_whole_and_more_was_looked_at(cli, at, file):
    result = cli("verify", "--against", file, *at)
    assert (result.exit_code, result.stdout) == (0, "4 files or rows checked: all is whole\n")


def test_what_is_gone_is_named_with_status_1(cli, at, file, base_path):
    for part in (base_path / "prices").rglob("*.parquet"):
        part.unlink()
    assert cli("verify", *at).exit_code == 0
    result = cli("verify", "--against", file, *at)
    assert result.exit_code == 1
    gone = "bars of AAPL (1d)   all 10 are gone, from 2026-01-01 to 2026-01-10"
    assert f"missing   {gone}" in result.stdout


def test_a_correction_is_to_be_looked_at_and_no_error(cli, at, file, opened, ten_bars):
    with opened() as store:
        store.write_bars("AAPL", [replace(ten_bars[3], close=7.0)])
    result = cli("verify", "--against", file, *at)
    assert result.exit_code == 0
    assert "notes:" in result.stdout
    assert re.search(r"replaced +bars of AAPL \(1d\) +10 then, 10 now", result.stdout)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory"),
        ("{", "not JSON: expected a document written by `storecore checkpoint`"),
        ('{"rows": []}', "not a checkpoint of a store: expected a document"),
        ("edited", "it was edited or damaged; use another copy of it"),
        ("later", "reads up to format 1: use the later release"),
    ],
)
def test_a_checkpoint_that_cannot_be_used_is_one_line(cli, at, file, content, said):
    document = json.loads(file.read_text())
    forms = {"edited": {**document, "bars": []}, "later": {**document, "format": 2}}
    file.unlink() if content is None else file.write_text(
        json.dumps(forms[content]) if content in forms else content
    )
    result = cli("verify", "--against", file, *at)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {file}: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_checkpoint_that_cannot_be_used_opens_no_store(cli, at, base_path, tmp_path):
    assert cli("verify", "--against", tmp_path / "absent.json", *at).exit_code == 1
    assert not base_path.exists()


def test_a_store_that_holds_nothing_is_as_likely_misspelt(cli, tmp_path):
    file = tmp_path / "checkpoint.json"
    result = cli("checkpoint", "-o", file, "--backend", "memory")
    assert result.exit_code == 1
    assert "holds nothing; is it the store you mean?" in result.stderr
    assert not file.exists()


def test_a_damaged_store_has_no_checkpoint(cli, at, file, base_path):
    (part,) = (base_path / "prices").rglob("*.parquet")
    part.write_bytes(part.read_bytes()[:-20])
    before = file.read_bytes()
    result = cli("checkpoint", "-o", file, *at)
    assert result.exit_code == 1
    assert str(part) in result.stderr
    assert file.read_bytes() == before


def test_a_place_that_cannot_be_written_to_is_one_line(cli, at, ten_bars, tmp_path):
    result = cli("checkpoint", "-o", tmp_path / "absent" / "c.json", *at)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "No such file or directory" in result.stderr


def test_a_backend_that_cannot_list_what_it_holds_says_what_it_lacks(cli, backend_with):
    result = cli("checkpoint", *backend_with("Catalog"))
    assert result.exit_code == 1
    assert "it lacks the capability VersionedState and Transfer" in result.stderr


def test_a_backend_without_checkpoints_of_its_own_has_one_all_the_same(cli, backend_with, tmp_path):
    partial = backend_with("Catalog", "VersionedState", "Transfer")
    result = cli("checkpoint", *partial)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["bars"][0][:3] == ["AAPL", "1d", 1]
