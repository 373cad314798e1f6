"""`storecore backends` tells what is installed, from which package, and whether it works."""

from __future__ import annotations

import json
import sys

import pytest

from storecore import open_store
from storecore.builtin.memory import MemoryDataStore


def row_of(name, result):
    return next(line for line in result.stdout.splitlines() if line.split()[:1] == [name])


def test_a_backend_is_listed_with_its_package_and_version(cli, site):
    site.backend("", name="acme")
    assert "acme-acme 1.5" in row_of("acme", cli("backends"))


def test_a_backend_that_loads_is_healthy(cli):
    assert "healthy" in row_of("memory", cli("backends"))


def test_a_backend_that_loads_is_shown_with_its_capabilities(cli):
    assert "AuditTrail, BarTables, Bulk" in row_of("memory", cli("backends"))


def test_a_backend_that_fails_to_import_is_listed_with_the_cause(cli, site):
    site.backend("raise RuntimeError('no\\nluck')")
    row = row_of("broken", cli("backends"))
    assert "RuntimeError: no luck" in row


def test_a_broken_backend_is_no_error_of_the_list(cli, site):
    site.backend("raise RuntimeError('no luck')")
    assert cli("backends").exit_code == 0


def test_a_backend_provided_twice_is_reported_without_loading_it(cli, site):
    for distribution in ("acme-one", "acme-two"):
        site.install(distribution, backends={"double": "nowhere"})
    assert "duplicate" in row_of("double", cli("backends"))


def test_a_wrapper_is_shown_with_what_it_depends_on(cli):
    assert "those of its nested stores" in row_of("mirror", cli("backends"))


def test_a_healthy_backend_is_opened_and_tried(cli, tmp_path):
    open_store("file", base_path=tmp_path / "data").close()
    result = cli("backends", "--check", "file", "--set", f"base_path={tmp_path / 'data'}")
    assert result.exit_code == 0
    steps = [line.split(maxsplit=1) for line in result.stdout.splitlines()]
    assert {state for state, _ in steps} == {"ok"}
    assert [what for _, what in steps] == [
        "opens",
        "reads bars",
        "reads fundamentals",
        "reads events",
        "loads states",
        "its audit log is whole",
        "closes",
        "refuses use after close",
    ]


def test_a_backend_that_cannot_be_opened_is_one_error(cli):
    result = cli("backends", "--check", "file", "--set", "base_pth=data")
    assert result.exit_code == 1
    assert "base_pth: unknown option (did you mean 'base_path'?)" in result.stderr


def test_an_unknown_backend_is_one_error(cli):
    result = cli("backends", "--check", "memry")
    assert (result.exit_code, "did you mean 'memory'" in result.stderr) == (1, True)


def test_what_is_wrong_with_a_backend_is_told_step_by_step(cli, backend_with):
    backend_with()  # it stays open, and answers of AAPL whatever it is asked
    result = cli("backends", "--check", "partial")
    assert result.exit_code == 1
    assert "ok      reads bars" in result.stdout
    assert "audit log" not in result.stdout
    assert "FAILED  refuses use after close" in result.stdout
    assert (
        "not healthy: refuses use after close: expected nothing, got 'a result after close()'"
        in result.stderr
    )


def test_a_read_that_raises_is_reported(cli, backend_with, monkeypatch):
    backend_with()
    monkeypatch.setattr(MemoryDataStore, "read_events", lambda *args: 1 / 0)
    result = cli("backends", "--check", "partial")
    assert "FAILED  reads events" in result.stdout
    assert "reads events: ZeroDivisionError" in result.stderr


def test_an_edited_audit_log_is_reported(cli, tmp_path, decision):
    with open_store("file", base_path=tmp_path) as store:
        store.log_decision("value", decision())
    (log,) = (tmp_path / "audit" / "decisions").glob("*.jsonl")
    log.write_bytes(log.read_bytes().replace(b"cheap", b"dear!"))
    result = cli("backends", "--check", "file", "--set", f"base_path={tmp_path}")
    assert "FAILED  its audit log is whole" in result.stdout
    assert "edited at" in result.stderr


def test_settings_without_a_backend_to_check_are_refused(cli):
    result = cli("backends", "--set", "base_path=data")
    assert (result.exit_code, "give --check NAME" in result.stderr) == (1, True)


OBSERVER = """
from storecore import hookimpl

@hookimpl
def storecore_closed(store): pass
"""


def test_an_observer_is_listed_with_its_package_and_is_not_imported(cli, site):
    site.install(
        "acme-watch", "2.1", modules={"acme_watch": "1/0"}, plugins={"watch": "acme_watch"}
    )
    result = cli("backends")
    assert "Observers, called for every store that is opened and written:" in result.stdout
    row = row_of("watch", result)
    assert ("acme-watch 2.1" in row, "installed" in row) == (True, True)
    assert "acme_watch" not in sys.modules


def test_observers_that_are_turned_off_are_listed_as_such(cli, site, monkeypatch):
    site.install("acme-watch", modules={"acme_watch": ""}, plugins={"watch": "acme_watch"})
    monkeypatch.setenv("STORECORE_OBSERVERS", "off")
    assert "(off: see STORECORE_OBSERVERS)" in cli("backends").stdout


@pytest.mark.usefixtures("site")
def test_without_an_observer_none_is_spoken_of(cli):
    assert "bserver" not in cli("backends").stdout


def test_an_observer_is_checked_by_loading_it(cli, site):
    site.install("acme-watch", modules={"acme_watch": OBSERVER}, plugins={"watch": "acme_watch"})
    assert cli("backends", "--check", "watch").stdout == "ok      storecore_closed\n"


def test_an_observer_that_cannot_be_loaded_is_one_error(cli, site):
    site.install("acme-watch", modules={"acme_watch": "1/0"}, plugins={"watch": "acme_watch"})
    result = cli("backends", "--check", "watch")
    assert (result.exit_code, "ZeroDivisionError" in result.stderr) == (1, True)


def test_a_package_with_broken_metadata_is_listed_once_with_the_cause(cli, site, caplog):
    info = site.install("acme-torn")
    (info / "entry_points.txt").write_bytes(b"\xff")
    result = cli("backends")
    assert result.exit_code == 0
    assert result.stdout.count("is left out: its metadata cannot be read: UnicodeDecodeError") == 1
    assert caplog.messages == []


def test_a_backend_that_ends_the_program_ends_no_list(cli, site):
    site.backend("raise SystemExit(3)")
    result = cli("backends")
    assert result.exit_code == 0
    assert "SystemExit: 3" in row_of("broken", result)


@pytest.mark.parametrize("raised", [SystemExit, GeneratorExit])
def test_a_read_that_would_end_the_program_is_a_step_that_failed(
    cli, backend_with, monkeypatch, raised
):
    def fail(*args):
        raise raised

    backend_with()
    monkeypatch.setattr(MemoryDataStore, "read_events", fail)
    result = cli("backends", "--check", "partial")
    assert f"reads events: {raised.__name__}" in result.stderr
    assert "refuses use after close" in result.stdout


def test_an_interrupt_of_a_check_goes_through(cli, backend_with, monkeypatch):
    def fail(*args):
        raise KeyboardInterrupt

    backend_with()
    monkeypatch.setattr(MemoryDataStore, "read_events", fail)
    assert cli("backends", "--check", "partial").exit_code == 130


def test_as_json_backends_are_listed_with_their_health(cli, site):
    site.backend("raise RuntimeError('no luck')")
    found = json.loads(cli("backends", "--json").stdout)
    health = {each["name"]: each["health"] for each in found["backends"]}
    assert (health["memory"], "no luck" in health["broken"]) == ("healthy", True)
    assert found["left_out"] == []


def test_as_json_a_check_lists_its_steps(cli):
    steps = json.loads(cli("backends", "--check", "memory", "--json").stdout)
    assert steps[0] == {"what": "opens", "wrong": ""}


def test_as_json_observers_are_listed_and_checked(cli, site):
    site.install("acme-watch", modules={"acme_watch": OBSERVER}, plugins={"watch": "acme_watch"})
    (watch,) = json.loads(cli("backends", "--json").stdout)["observers"]
    assert (watch["name"], watch["health"]) == ("watch", "installed")
    hooks = cli("backends", "--check", "watch", "--json").stdout
    assert json.loads(hooks) == ["storecore_closed"]
