"""The commands work on kinds of data in several stores, and name the route of what is wrong."""

from __future__ import annotations

import pytest

from storecore import load_config, open_store


@pytest.fixture
def config(tmp_path, bar, event, decision):
    """A config with bars beside the rest, and some data."""
    path = tmp_path / "storecore.toml"
    path.write_text(
        '[store]\nbackend = "routed"\n'
        'default = { backend = "file", base_path = "rest" }\n'
        'bars = { backend = "file", base_path = "bars" }\n'
    )
    with open_store(load_config(path)) as store:
        store.write_bars("AAPL", [bar()])
        store.write_event(event())
        store.log_decision("value", decision())
    return path


def test_verify_names_the_route_of_a_damaged_file(cli, config, tmp_path):
    assert cli("verify", "--config", config).exit_code == 0
    (partition,) = (tmp_path / "bars" / "prices").rglob("*.parquet")
    partition.write_bytes(partition.read_bytes()[:-1])
    result = cli("verify", "--config", config)
    assert result.exit_code == 1
    assert "bars: " in result.output
    assert "1 finding" in result.output


def test_copy_goes_out_of_it_and_into_it(cli, config, tmp_path, bar, event):
    assert cli("copy", config, f"file:base_path={tmp_path / 'whole'}").exit_code == 0
    other = tmp_path / "other.toml"
    other.write_text(config.read_text().replace('"rest"', '"rest2"').replace('"bars"', '"bars2"'))
    assert cli("copy", f"file:base_path={tmp_path / 'whole'}", other).exit_code == 0
    with open_store(load_config(other)) as store:
        assert (store.read_bars("AAPL"), store.read_events()) == ([bar()], [event()])
        assert store.routes["bars"].read_events() == []
        assert store.verify_audit().checked == 1


def test_show_repair_and_checkpoint_read_each_route(cli, config, tmp_path):
    assert "100" in cli("show", "AAPL", "--config", config).output
    assert cli("repair", "--config", config).exit_code == 0
    file = tmp_path / "checkpoint.json"
    assert cli("checkpoint", "--config", config, "-o", file).exit_code == 0
    assert cli("verify", "--config", config, "--against", file).exit_code == 0
    (tmp_path / "bars" / "prices" / "AAPL").rename(tmp_path / "gone")
    assert "bars of AAPL" in cli("verify", "--config", config, "--against", file).output


def test_a_store_that_is_missing_is_named_by_its_route(cli, config, tmp_path):
    (tmp_path / "bars").rename(tmp_path / "moved")
    result = cli("info", "--config", config)
    assert result.exit_code == 1
    assert "bars: " in result.output
