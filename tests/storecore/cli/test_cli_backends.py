"""`storecore backends` tells what is installed, from which package, and whether it works."""

from __future__ import annotations

from storecore import open_store
from storecore.memory import MemoryDataStore


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


def test_a_backend_provided_twice_is_told_without_loading_it(cli, site):
    for distribution in ("acme-one", "acme-two"):
        site.install(distribution, backends={"double": "nowhere"})
    assert "duplicate" in row_of("double", cli("backends"))


def test_a_wrapper_is_shown_with_what_it_depends_on(cli):
    assert "what its inner store can" in row_of("mirror", cli("backends"))


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
        "is closed then",
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
    assert "FAILED  is closed then" in result.stdout
    assert (
        "not healthy: is closed then: expected nothing, got 'an answer after close()'"
        in result.stderr
    )


def test_a_read_that_raises_is_told(cli, backend_with, monkeypatch):
    backend_with()
    monkeypatch.setattr(MemoryDataStore, "read_events", lambda *args: 1 / 0)
    result = cli("backends", "--check", "partial")
    assert "FAILED  reads events" in result.stdout
    assert "reads events: ZeroDivisionError" in result.stderr


def test_an_edited_audit_log_is_told(cli, tmp_path, decision):
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
