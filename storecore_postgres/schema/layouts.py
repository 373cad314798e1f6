"""Tables spread over a cluster (Citus) or cut by time (TimescaleDB), if the server has either.

Clients of a cluster connect to its coordinator: a worker numbers events separately. No statement
may select nothing (`SELECT FROM`), which a cluster refuses.
"""

from __future__ import annotations

from typing import Literal, cast, get_args

from storecore.errors import ConfigError

Distribution = Literal["none", "citus", "timescale"]
DISTRIBUTIONS: tuple[str, ...] = get_args(Distribution)
_EXTENSIONS = {"citus": "citus", "timescale": "timescaledb"}
_KEYS = {  # beside what makes a row unique, a distributed table needs the column it is spread by
    "events": {"citus": "symbol, timestamp, id"},
    "decisions": {"citus": "strategy, seq"},
    "orders": {"citus": "strategy, seq"},
}
_SPREAD_BY = {
    "bars": "symbol",
    "fundamentals": "symbol",
    "events": "symbol",
    "states": "strategy",
    "decisions": "strategy",
    "orders": "strategy",
}
_CUT_BY = {"bars": ("date", "90 days"), "events": ("timestamp", "30 days")}


def chosen(asked: str, installed: set[str]) -> Distribution:
    """Return how tables are laid out: as asked, or ("auto") as the database has an extension.

    Raises `ConfigError` where what was asked for is not installed in the database.
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


def key_of(table: str, plain: str, distribution: Distribution) -> str:
    """Return the columns of a table's primary key, `plain` where nothing else is needed."""
    return _KEYS.get(table, {}).get(distribution, plain)


def spread(schema: str, distribution: Distribution) -> list[str]:
    """Return the statements that lay out new tables; `schema` is quoted."""
    if distribution == "citus":
        spread = [_distributed(f"{schema}.{table}", by) for table, by in _SPREAD_BY.items()]
        copied = [f"{schema}.audit_heads", f"{schema}.about"]
        return [*spread, *(f"SELECT create_reference_table({_text(each)})" for each in copied)]
    if distribution == "timescale":
        return [
            f"SELECT create_hypertable({_text(f'{schema}.{table}')}, "
            f"by_range('{column}', INTERVAL '{width}'))"
            for table, (column, width) in _CUT_BY.items()
        ]
    return []


def _distributed(table: str, column: str) -> str:
    return f"SELECT create_distributed_table({_text(table)}, '{column}')"


def _text(value: str) -> str:
    quoted = value.replace("'", "''")
    return f"'{quoted}'"
