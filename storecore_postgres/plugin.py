"""The target of the entry point `postgres`: the spec of the backend and its options."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from msgspec import Struct

from storecore.knowledge.clock import checked_history
from storecore.plugins.spec import BackendSpec, hookimpl
from storecore.states import KEPT_VERSIONS, checked_kept
from storecore_postgres.database import Pool
from storecore_postgres.schema.installation import remove
from storecore_postgres.schema.tables import grants, quoted
from storecore_postgres.store import PostgresDataStore


class PostgresConfig(Struct, frozen=True, kw_only=True):
    """The options of the postgres backend; `PostgresDataStore` documents them."""

    dsn: str
    schema: str = "storecore"
    distribution: Literal["auto", "none", "citus", "timescale"] = "auto"
    pool: Pool = Pool()
    prepare_threshold: int | Literal["never"] | None = 5
    statement_timeout: float | None = None
    state_versions: int = KEPT_VERSIONS
    history: bool | str = True

    def __post_init__(self) -> None:
        checked_kept(self.state_versions)
        checked_history(self.history)

    def __repr__(self) -> str:
        return f"PostgresConfig(schema={self.schema!r})"  # the dsn is a secret

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("schema", self.schema)]


@hookimpl
def storecore_backend() -> BackendSpec:
    """Return the spec of the `postgres` backend."""
    return BackendSpec(
        name="postgres",
        config=PostgresConfig,
        open=_open,
        open_existing=partial(_open, create=False),
        capabilities=frozenset(
            {
                "BarTables",
                "BarStream",
                "Catalog",
                "AuditTrail",
                "Bulk",
                "BulkAudit",
                "VersionedState",
                "Maintenance",
                "Transfer",
                "History",
            }
        ),
        promises=frozenset({"durable", "shared", "forked"}),
        optional=frozenset({"History"}),  # which depends on the layout of the tables
        init=_init,
        remove=lambda config: remove(config.dsn, config.schema),
        summary="a schema of a PostgreSQL database, shared by many machines",
    )


def _open(config: PostgresConfig, *, create: bool = True) -> PostgresDataStore:
    threshold = config.prepare_threshold
    return PostgresDataStore(
        config.dsn,
        schema=config.schema,
        distribution=config.distribution,
        pool=config.pool,
        prepare_threshold=None if threshold == "never" else threshold,
        statement_timeout=config.statement_timeout,
        state_versions=config.state_versions,
        history=config.history,
        create=create,
    )


def _init(config: PostgresConfig) -> str:
    """Add what an earlier release has not created, and return the grants for other roles."""
    with _open(config) as store:
        store.complete_tables()
    return grants(quoted(config.schema))
