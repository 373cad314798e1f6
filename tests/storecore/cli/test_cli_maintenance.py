"""`storecore verify` and `storecore repair`: what is wrong is told or moved aside."""

from __future__ import annotations

from datetime import datetime

import pytest

from storecore import PriceBar


@pytest.fixture
def a_damaged_part(ten_bars, base_path):
    """Flip a bit of the only file of bars; return it."""
    (part,) = (base_path / "prices").rglob("*.parquet")
    content = bytearray(part.read_bytes())
    content[10] ^= 1
    part.write_bytes(content)
    return part


def test_a_whole_store_is_told_so(cli, at, ten_bars):
    result = cli("verify", *at)
    assert (result.exit_code, result.stdout) == (0, "3 files or rows checked: all is whole\n")


def test_damage_is_told_with_its_file_and_status_1(cli, at, a_damaged_part):
    result = cli("verify", *at)
    assert result.exit_code == 1
    assert f"damaged   {a_damaged_part}" in result.stdout
    assert "checked: 1 finding" in result.stdout


def test_odd_bars_are_told_and_are_no_error(cli, at, opened):
    with opened() as store:
        store.write_bars("AAPL", [PriceBar("AAPL", datetime(2026, 1, 5), 1, 1, 2, 1, 1)])
    result = cli("verify", *at)
    assert result.exit_code == 0
    assert "notes:" in result.stdout
    assert "high below low" in result.stdout


def test_a_dry_run_says_what_would_be_done_and_does_nothing(cli, at, a_damaged_part):
    result = cli("repair", "--dry-run", *at)
    assert result.exit_code == 1
    assert result.stdout.startswith("would move prices/AAPL/")
    assert a_damaged_part.exists()


def test_a_repair_moves_aside_and_all_is_whole(cli, at, base_path, a_damaged_part, stored):
    result = cli("repair", *at)
    assert result.exit_code == 0
    assert result.stdout.startswith("moved prices/AAPL/")
    assert [path.name for path in (base_path / "aside").rglob("*.parquet")] == [a_damaged_part.name]
    assert stored() == []
    assert cli("verify", *at).exit_code == 0


def test_a_store_that_needs_no_repair_is_told_so(cli, at, ten_bars):
    result = cli("repair", *at)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "nothing to repair")


@pytest.mark.parametrize("command", ["verify", "repair"])
def test_a_backend_without_maintenance_is_an_error_that_says_so(cli, backend_with, command):
    result = cli(command, *backend_with("Catalog"))
    assert result.exit_code == 1
    assert "the backend 'partial' cannot do that: it lacks the capability" in result.stderr
