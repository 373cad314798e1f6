"""Layouts of tables: plain, distributed over a cluster (Citus) or cut by time (TimescaleDB).

Clients of a cluster must connect to its coordinator, because a worker numbers events separately.
Citus refuses statements with an empty select list (`SELECT FROM`), so no statement has one.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, cast, get_args

from storecore.errors import ConfigError

Distribution = Literal["none", "citus", "timescale"]
DISTRIBUTIONS: tuple[str, ...] = get_args(Distribution)
_EXTENSIONS = {"citus": "citus", "timescale": "timescaledb"}
_KEYS = {  # the primary key of a distributed table must contain its distribution column
    "events": {"citus": "symbol, timestamp, id"},
    "decisions": {"citus": "strategy, seq"},
    "orders": {"citus": "strategy, seq"},
}
_DISTRIBUTED_BY = {
    "bars": "symbol",
    "series_columns": "symbol",
    "fundamentals": "symbol",
    "events": "symbol",
    "states": "strategy",
    "decisions": "strategy",
    "orders": "strategy",
}
_REPLICATED = ("audit_heads", "about", "bar_columns")  # to each node
_PARTITIONED_BY = {"bars": ("date", "90 days"), "events": ("timestamp", "30 days")}


def choose_layout(asked: str, installed: set[str]) -> Distribution:
    """Return the layout of new tables: as asked, or for "auto" by the installed extensions.

    Raises `ConfigError` if the extension is not installed in the database.
    """
    found = [name for name, extension in _EXTENSIONS.items() if extension in installed]
    if asked == "auto":
        return cast(Distribution, found[0] if found else "none")
    if asked != "none" and asked not in found:
        raise ConfigError(
            f"distribution={asked!r}: the database has no extension {_EXTENSIONS[asked]!r}; run "
            f"CREATE EXTENSION {_EXTENSIONS[asked]} there, or leave distribution at 'auto'"
        )
    return cast(Distribution, asked)


def primary_key(table: str, plain: str, distribution: Distribution) -> str:
    """Return the columns of a table's primary key, `plain` unless the layout needs more."""
    return _KEYS.get(table, {}).get(distribution, plain)


def layout_statements(
    schema: str, distribution: Distribution, tables: Collection[str]
) -> list[str]:
    """Return the statements that lay out new tables; `schema` is quoted."""
    if distribution == "citus":
        return [
            *(
                _distributed(f"{schema}.{table}", by)
                for table, by in _DISTRIBUTED_BY.items()
                if table in tables
            ),
            *(
                f"SELECT create_reference_table({_text(f'{schema}.{table}')})"
                for table in _REPLICATED
                if table in tables
            ),
        ]
    if distribution == "timescale":
        return [
            f"SELECT create_hypertable({_text(f'{schema}.{table}')}, "
            f"by_range('{column}', INTERVAL '{width}'))"
            for table, (column, width) in _PARTITIONED_BY.items()
            if table in tables
        ]
    return []


def _distributed(table: str, column: str) -> str:
    return f"SELECT create_distributed_table({_text(table)}, '{column}')"


def _text(value: str) -> str:
    quoted = value.replace("'", "''")
    return f"'{quoted}'"
