"""`storecore init`: what a store needs is made, what is left to an administrator is printed."""

from __future__ import annotations

import re

import pytest

BACKEND = """
from msgspec import Struct
from storecore import BackendSpec, hookimpl
from storecore.builtin.memory import MemoryDataStore

class Config(Struct):
    role: str = "desk"

@hookimpl
def storecore_backend():
    return BackendSpec(
        name="granting",
        config=Config,
        open=lambda config: MemoryDataStore(),
        init=lambda config: f"GRANT ALL TO {config.role};\\n",
    )
"""


def with_init(source):
    """Return the source of a backend with another init."""
    return re.sub(r"init=.*,", f"init={source},", BACKEND)


def test_what_is_missing_is_made(cli, at, base_path):
    result = cli("init", *at)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "the store in backend 'file' is ready\n"
    assert (base_path / "prices").is_dir()


def test_what_is_there_stays(cli, at, ten_bars, stored):
    assert cli("init", *at).exit_code == 0
    assert stored() == ten_bars


def test_what_the_backend_leaves_to_an_administrator_is_all_that_is_printed(cli, site):
    site.backend(BACKEND, name="granting")
    result = cli("init", "--backend", "granting", "--set", "role=quants")
    assert result.stdout == "GRANT ALL TO quants;\n"


def test_an_option_that_does_not_fit_is_one_error(cli):
    result = cli("init", "--backend", "file", "--set", "base_pth=data")
    assert result.exit_code == 1
    assert "base_pth: unknown option (did you mean 'base_path'?)" in result.stderr


def test_an_init_that_cannot_be_called_is_an_error_of_the_backend(cli, site):
    site.backend(with_init("5"), name="granting")
    result = cli("init", "--backend", "granting")
    assert "acme-granting 1.5" in result.stderr
    assert "expected its spec's init to be callable or None, got 5" in result.stderr


@pytest.mark.parametrize(("raised", "status"), [("SystemExit(0)", 1), ("KeyboardInterrupt", 130)])
def test_an_init_that_raises_is_an_error_of_the_backend_but_for_an_interrupt(
    cli, site, raised, status
):
    fail = f"\ndef fail(config): raise {raised}\n"
    site.backend(fail + with_init("fail"), name="granting")
    result = cli("init", "--backend", "granting")
    assert result.exit_code == status
    assert ("its init raised SystemExit: 0" in result.stderr) is (status == 1)
