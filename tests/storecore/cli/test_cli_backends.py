"""`storecore backends` tells what is installed, from which package, and whether it works."""

from __future__ import annotations


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
