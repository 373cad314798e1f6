"""A schema that an administrator has renamed: its functions change its own tables."""

from __future__ import annotations

from datetime import datetime

import pytest

from storecore import PriceBar, StorageError

DAY = datetime(2026, 1, 5)


@pytest.fixture
def renamed(opened, admin, schema):
    """Make a store, rename its schema, and return the new name."""
    opened().close()
    admin.execute(f"ALTER SCHEMA {schema} RENAME TO {schema}_later")
    yield f"{schema}_later"
    admin.execute(f"DROP SCHEMA IF EXISTS {schema}_later CASCADE")


@pytest.fixture
def as_writer(admin, role, place, opened):
    """Open a store as a role that has the grants of a writer, but owns nothing."""

    def open_as_writer(schema):
        name, dsn = role()
        for grant in (
            f"USAGE ON SCHEMA {schema}",
            f"SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA {schema}",
            f"SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA {schema}",
            f"EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema}",
        ):
            admin.execute(f"GRANT {grant} TO {name}")
        return opened(dsn=dsn, schema=schema)

    return open_as_writer


def wide(**extra):
    """Return a bar with further columns."""
    return PriceBar("AAPL", DAY, 1.0, 2.0, 0.5, 1.5, 10, extra)


def test_further_columns_are_added_after_the_schema_was_renamed(opened, renamed):
    with opened(schema=renamed) as store:
        store.write_bars("AAPL", [wide(vwap=1.25)])
        assert store.read_bars("AAPL")[0].extra == {"vwap": 1.25}


def test_a_bar_without_a_volume_is_written_after_the_schema_was_renamed(opened, renamed):
    with opened(schema=renamed) as store:
        store.write_bars("AAPL", [PriceBar("AAPL", DAY, 1.0, 2.0, 0.5, 1.5, None)])
        assert store.read_bars("AAPL")[0].volume is None


def test_a_new_store_of_the_former_name_gets_no_column_of_the_renamed_one(
    opened, renamed, admin, schema
):
    opened().close()
    with opened(schema=renamed) as store:
        store.write_bars("AAPL", [wide(vwap=1.25)])
    added = f"SELECT count(*) FROM {schema}.bar_columns"
    assert admin.execute(added).fetchone() == (0,)


def test_a_role_that_does_not_own_the_renamed_tables_is_told_to_run_init(as_writer, renamed):
    with as_writer(renamed) as store, pytest.raises(StorageError, match="run `storecore init`"):
        store.write_bars("AAPL", [wide(vwap=1.25)])


def test_once_init_has_run_a_writer_adds_columns_to_the_renamed_tables(opened, as_writer, renamed):
    with opened(schema=renamed) as owner:
        owner.complete_tables()
    with as_writer(renamed) as store:
        store.write_bars("AAPL", [wide(vwap=1.25)])
        assert store.read_bars("AAPL")[0].extra == {"vwap": 1.25}


def test_a_column_that_is_added_by_hand_does_not_stop_a_store_that_is_open(store, admin, schema):
    admin.execute(f"ALTER TABLE {schema}.bars ADD remark text")
    store.write_bars("AAPL", [PriceBar("AAPL", DAY, 1.0, 2.0, 0.5, 1.5, 10)])
    assert len(store.read_bars("AAPL")) == 1


def test_a_column_added_after_one_was_dropped_by_hand_is_emptied_by_a_plain_write_elsewhere(
    opened, admin, schema
):
    opened().close()
    admin.execute(f"ALTER TABLE {schema}.bars ADD remark text")
    admin.execute(f"ALTER TABLE {schema}.bars DROP remark")
    with opened() as plain, opened() as other:
        other.write_bars("AAPL", [wide(vwap=1.25)])
        plain.write_bars("AAPL", [PriceBar("AAPL", DAY, 1.0, 2.0, 0.5, 1.5, 10)])
        assert other.read_bars("AAPL")[0].extra is None
