"""The backend `postgres` in a config."""

from __future__ import annotations

import pickle
import subprocess
import sys

import psycopg
import pytest

import storecore
import storecore_postgres
from storecore.errors import BackendLoadError, ConfigError, NotSerializable
from storecore_postgres import PostgresDataStore
from storecore_postgres.plugin import PostgresConfig

WITHOUT_THE_DRIVER = """if True:
    import sys
    sys.modules["psycopg"] = None  # as if it were not installed
    import storecore_postgres, storecore
    try:
        storecore.open_store("postgres", dsn="")
    except storecore.BackendLoadError as error:
        print(error)
"""


@pytest.fixture
def config_file(tmp_path, place, monkeypatch):
    """Write a config file of the test's store; its dsn comes from the environment."""
    monkeypatch.setenv("DATABASE_URL", place["dsn"])

    def write(*lines):
        file = tmp_path / "storecore.toml"
        head = ["[store]", 'backend = "postgres"', 'dsn = "${DATABASE_URL}"']
        file.write_text("\n".join([*head, f'schema = "{place["schema"]}"', *lines]))
        return storecore.load_config(file)

    return write


def test_it_is_opened_by_its_name(place):
    with storecore.open_store("postgres", **place) as store:
        assert isinstance(store, PostgresDataStore)


def test_all_of_its_options_can_stand_in_a_config_file(config_file, bar):
    config = config_file(
        'distribution = "none"',
        'prepare_threshold = "never"  # for PgBouncer',
        "statement_timeout = 60.0",
        "[store.pool]",
        "min_size = 2",
        "max_size = 3",
        "timeout = 5.0",
    )
    with storecore.open_store(config) as store:
        for _ in range(3):
            store.write_bars("AAPL", [bar()])
        assert store.read_bars("AAPL", bar().date, bar().date) == [bar()]
        with store._database._pool.connection() as connection:
            assert connection.prepare_threshold is None
            assert connection.execute("SHOW statement_timeout").fetchone() == ("1min",)
            prepared = connection.execute("SELECT count(*) FROM pg_prepared_statements")
            assert prepared.fetchone() == (0,)
        assert store._database._pool.min_size == 2


def test_statements_are_prepared_once_they_were_used_as_often_as_asked(opened, bar):
    with opened(prepare_threshold=0) as store:
        store.write_bars("AAPL", [bar()])
        with store._database._pool.connection() as connection:
            asked = connection.execute("SELECT statement FROM pg_prepared_statements")
            assert any("INSERT INTO" in statement for (statement,) in asked)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "dsn: missing"),
        ({"dsn": "", "shema": "x"}, "did you mean 'schema'"),
        ({"dsn": 5}, "dsn"),
        ({"dsn": "", "distribution": "citrus"}, "did you mean 'citus'"),
        ({"dsn": "", "schema": ""}, "schema=''"),
        ({"dsn": "", "schema": "x" * 64}, "1 to 63 bytes"),
        ({"dsn": "", "schema": "100%"}, "without NUL, %, { or }"),
        ({"dsn": "", "schema": "\ud800"}, "schema"),
        ({"dsn": "", "prepare_threshold": -1}, "prepare_threshold=-1"),
        ({"dsn": "", "prepare_threshold": "always"}, "prepare_threshold"),
        ({"dsn": "", "statement_timeout": 0.0}, "statement_timeout=0.0"),
        ({"dsn": "", "pool": {"min_size": 3, "max_size": 2}}, "pool.*min_size=3, max_size=2"),
        ({"dsn": "", "pool": {"timeout": 0.0}}, "pool.*timeout=0.0"),
        ({"dsn": "", "pool": {"size": 3}}, r"pool\.size: unknown option"),
    ],
)
def test_an_option_that_does_not_fit_is_a_config_error_that_names_it(options, named):
    with pytest.raises(ConfigError, match=named):
        storecore.open_store("postgres", **options)


def test_a_distribution_that_is_none_is_refused_from_python_too():
    with pytest.raises(ConfigError, match=r"distribution='citrus': expected one of"):
        PostgresDataStore("", distribution="citrus")


def test_without_its_driver_the_command_that_installs_it_is_reported():
    command = [sys.executable, "-c", WITHOUT_THE_DRIVER]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    assert "it needs 'psycopg': pip install 'storecore[postgres]'" in done.stdout


def test_importing_the_package_does_not_load_the_driver():
    code = "import sys, storecore_postgres; print('psycopg' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_package_has_no_other_name():
    with pytest.raises(AttributeError, match="'storecore_postgres' has no attribute 'Store'"):
        storecore_postgres.Store  # noqa: B018


def test_a_name_that_is_no_dsn_of_text_is_an_error_of_the_backend():
    with pytest.raises((ConfigError, BackendLoadError)):
        storecore.open_store("postgres", dsn="\ud800")


def test_its_config_shows_no_dsn():
    config = PostgresConfig(dsn="password=secret")
    assert "secret" not in repr(config)
    assert "secret" not in str(config.__rich_repr__())


def test_nothing_is_opened_where_nothing_listens(tmp_path):
    with pytest.raises(storecore.StorageError, match="is the server running"):
        storecore.open_store("postgres", dsn=f"host={tmp_path}")
    assert issubclass(storecore.StorageError, OSError)
    assert not issubclass(storecore.StorageError, psycopg.Error)


def test_a_store_cannot_be_pickled_and_the_error_has_no_dsn(opened, place):
    with opened() as store, pytest.raises(NotSerializable, match="cannot be pickled") as caught:
        pickle.dumps(store)
    assert place["dsn"] not in str(caught.value)
