"""A password that is given in any place, right or wrong, is in no output, error, log or repr."""

from __future__ import annotations

import logging
import traceback

import pytest
from click.testing import CliRunner

import storecore
from storecore import ConfigError, StoreError, UnknownBackend
from storecore.cli.app import app
from storecore.config.open import prepare
from storecore_file import FileDataStore

SECRET = "s3cr3t"
DSNS = [
    "postgresql://u:s3cr3t@h/db",
    "postgresql://u:x@s3cr3t/y@h/db",
    "postgresql://u:%41s3cr3t@h/db",
    "postgresql://h/db?user=u&password=s3cr3t",
    "postgresql://u:s3cr3t",
    "postgresql:/u:s3cr3t@h/db",
    "host=h password=s3cr3t",
    "host=h password='s3cr3t x'",
    "u:s3cr3t@h",
    "postgresql://u:s3cr3t@h/x.toml",
]

BACKEND = """
from msgspec import Struct
from storecore import BackendSpec, hookimpl
from storecore.builtin.memory import MemoryDataStore

class Login(Struct):
    password: str
    mode: int = 0

class Config(Struct):
    dsn: str = ""
    login: Login | None = None
    number: int = 0

    def __post_init__(self):
        if self.number:
            raise ValueError(f"{self.number} does not go with {self.dsn} and {self.login}")

def fail(config):
    try:
        raise ConnectionError(f"cannot connect to {config.dsn!r}")
    except ConnectionError as error:
        raise RuntimeError(f"no connection with {config!r}") from error

@hookimpl
def storecore_backend():
    return BackendSpec(name="acme", config=Config, open=fail)
"""


@pytest.fixture(autouse=True)
def nothing_logged(caplog):
    caplog.set_level(logging.DEBUG)
    yield
    assert SECRET not in caplog.text


@pytest.fixture
def acme(site):
    site.backend(BACKEND, name="acme")


def chain(error):
    """Yield an error and all that led to it, suppressed or not."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@pytest.fixture
def refused():
    """Call something that must raise, and check that nothing of it has the secret."""

    def check(call, *args, kind=StoreError, **options):
        with pytest.raises(kind) as caught:
            call(*args, **options)
        shown = "".join(traceback.format_exception(caught.value))
        shown += " ".join(f"{each} {each!r} {each.args!r}" for each in chain(caught.value))
        assert SECRET not in shown.replace(traceback_lines(caught.value), "")
        return str(caught.value)

    return check


def traceback_lines(error):
    return "".join(traceback.format_tb(error.__traceback__))


@pytest.mark.parametrize("dsn", DSNS)
def test_in_the_place_of_a_backend(refused, dsn):
    told = refused(storecore.open_store, dsn, kind=(UnknownBackend, ConfigError))
    refused(storecore.open_store, {"backend": dsn}, kind=UnknownBackend)
    refused(storecore.open_store, backend=dsn, kind=UnknownBackend)
    refused(storecore.open_store, dsn, backend="memory", kind=ConfigError)
    refused(storecore.open_store, "readonly", store={"backend": dsn}, kind=UnknownBackend)
    refused(storecore.open_store, "readonly", store=dsn, kind=ConfigError)
    refused(storecore.open_store, "mirror", primary=dsn, replicas=dsn, kind=ConfigError)
    assert dsn.endswith(".toml") or 'open_store(NAME, dsn="${DATABASE_URL}")' in told


@pytest.mark.parametrize("dsn", DSNS)
def test_in_the_place_of_a_mapping_or_of_its_keys(refused, dsn):
    refused(storecore.open_store, [dsn], kind=ConfigError)
    refused(storecore.open_store, {"backend": [dsn]}, kind=ConfigError)
    if dsn != "u:s3cr3t@h":  # nothing says that this is more than a name
        refused(storecore.open_store, {"backend": "memory", dsn: 1}, kind=ConfigError)


@pytest.mark.parametrize("dsn", [each for each in DSNS if each != "u:s3cr3t@h"])
def test_in_the_place_of_a_path(refused, dsn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(storecore.open_store, "file", base_path=dsn, kind=ConfigError)
    refused(FileDataStore, dsn, kind=ConfigError)
    refused(storecore.load_config, dsn, kind=ConfigError)
    monkeypatch.setenv("STORECORE_CONFIG", dsn)
    refused(storecore.open_store, kind=ConfigError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dsn", DSNS)
def test_in_an_option_of_another_type(refused, acme, dsn):
    refused(storecore.open_store, "acme", number=dsn, kind=ConfigError)
    refused(storecore.open_store, "acme", login=dsn, kind=ConfigError)
    refused(storecore.open_store, "acme", login={"password": SECRET, "mode": dsn})
    refused(storecore.open_store, "acme", login={"pasword": SECRET})
    refused(storecore.open_store, "file", base_path="x", durability=dsn)


@pytest.mark.parametrize("dsn", [each for each in DSNS if each != "u:s3cr3t@h"])
def test_in_what_a_third_party_raises(refused, acme, dsn):
    refused(storecore.open_store, "acme", dsn=dsn)
    refused(storecore.open_store, "acme", dsn=dsn, number=3)


def test_in_what_led_to_an_error_of_a_third_party(refused, site):
    site.backend(
        BACKEND.replace("RuntimeError(", "StorageError(").replace(
            "import BackendSpec", "import BackendSpec, StorageError"
        ),
        name="acme",
    )
    refused(storecore.open_store, "acme", dsn=DSNS[0], kind=storecore.StorageError)


def test_in_what_is_printed_of_a_prepared_store(acme):
    prepared = prepare("mirror", primary={"backend": "acme", "dsn": SECRET}, replicas=[])
    assert SECRET not in repr(prepared) + str(prepared) + repr(prepared.settings)


_NAMES = {("--backend", "DSN"), ("--check", "DSN"), ("--set", "DSN"), ("DSN=x",)}


@pytest.mark.few(60)
@pytest.mark.parametrize("dsn", DSNS)
@pytest.mark.parametrize(
    "args",
    [
        ("info", "--backend", "DSN"),
        ("info", "--backend", "file", "--set", "DSN"),
        ("info", "--backend", "file", "--set", "base_path=DSN"),
        ("info", "--backend", "file", "--set", "durability=DSN", "--set", "base_path=x"),
        ("info", "--backend", "postgres", "--set", "pool=DSN"),
        ("info", "--config", "DSN"),
        ("info", "--profile", "DSN", "--config", "storecore.toml"),
        ("info", "DSN"),
        ("DSN",),
        ("--DSN",),
        ("copy", "DSN", "memory:"),
        ("copy", "memory:", "DSN"),
        ("copy", "memory:", "file:DSN"),
        ("copy", "memory:", "file:base_path=DSN"),
        ("backends", "--check", "DSN"),
        ("backends", "--check", "postgres", "--set", "DSN"),
        ("backends", "--check", "postgres", "--set", "schema=x", "--set", "DSN=x"),
        ("init", "--backend", "DSN"),
        ("verify", "--backend", "DSN"),
        ("repair", "--backend", "DSN"),
        ("show", "AAPL", "--backend", "DSN"),
        ("show", "AAPL", "--start", "DSN", "--backend", "memory"),
        ("import", "DSN", "--backend", "memory"),
        ("demo", "DSN"),
    ],
    ids=" ".join,
)
def test_on_the_command_line(args, dsn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "storecore.toml").write_text("[store]\nbackend = 'memory'\n")
    result = CliRunner().invoke(app, [each.replace("DSN", dsn) for each in args])
    if dsn == "u:s3cr3t@h" and not {args[-2:], args[-1:]} & _NAMES:
        return  # as a file or a symbol it is a name like any other
    assert result.exit_code == 1
    assert SECRET not in result.output
    assert result.stderr.count("\n") == 1
