"""The collections of a store, opened and closed together."""

from __future__ import annotations

from typing import Any

from storecore.errors import ConfigError, InvalidName, NotSerializable
from storecore.models import DecisionRecord, OrderRecord
from storecore.store.closing import Closing
from storecore.values.names import check_name
from storecore_postgres.audit.log import AuditLog
from storecore_postgres.bars import Bars
from storecore_postgres.database import Database, Pool
from storecore_postgres.events import Events
from storecore_postgres.fundamentals import Fundamentals
from storecore_postgres.schema.installation import prepare_schema
from storecore_postgres.schema.layouts import DISTRIBUTIONS
from storecore_postgres.schema.tables import quoted
from storecore_postgres.states import States

_LONGEST = 1_300  # bytes; two names and a date must fit into an index entry
_POOL = Pool()
# The start time distinguishes a server from its copies, which have the same identifiers.
_PLACE = """
SELECT concat_ws(' ', extract(epoch FROM pg_postmaster_start_time()), d.oid, n.oid)
FROM pg_database d, pg_namespace n WHERE d.datname = current_database() AND n.nspname = %s
"""


class Rooms(Closing):
    """The collections of a store in a schema, one for each kind of data."""

    def __init__(
        self,
        dsn: str,
        *,
        schema: str = "storecore",
        distribution: str = "auto",
        pool: Pool = _POOL,
        prepare_threshold: int | None = 5,
        statement_timeout: float | None = None,
        create: bool = True,
    ) -> None:
        choices = ("auto", *DISTRIBUTIONS)
        if distribution not in choices:
            raise ConfigError(f"distribution={distribution!r}: expected one of {choices}")
        self._schema = schema
        self._quoted = place = quoted(schema)
        self._database = database = Database(
            dsn, pool, prepare_threshold=prepare_threshold, statement_timeout=statement_timeout
        )
        layout = prepare_schema(database, place, distribution, create=create)
        self._bars = Bars(database, place, layout)
        self._fundamentals = Fundamentals(database, place)
        self._events = Events(database, place, layout)
        self._states = States(database, place)
        self._decisions = AuditLog(database, place, layout, "decisions", DecisionRecord)
        self._orders = AuditLog(database, place, layout, "orders", OrderRecord)
        self._logs: dict[str, AuditLog[Any]] = {
            "decisions": self._decisions,
            "orders": self._orders,
        }
        database.open()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(schema={self._schema!r})"

    def places(self) -> frozenset[str]:
        """Return the identity of the schema and its server, independent of the dsn."""
        self._check_open()
        rows = self._database.rows("identifying the schema", _PLACE, [self._schema])
        return frozenset(f"schema {row[0]}" for row in rows)

    def __reduce__(self) -> Any:
        raise NotSerializable(
            f"a {type(self).__name__} cannot be pickled or copied: it holds connections of this "
            "process and the password of its dsn; open it again with open_store there"
        )

    def close(self) -> None:
        """Close all connections. A second call does nothing."""
        super().close()
        self._database.close()

    def _series(self, symbol: str, timeframe: str) -> tuple[str, str]:
        return self._name(symbol, "symbol"), self._name(timeframe, "timeframe")

    def _name(self, name: str, what: str) -> str:
        self._check_open()
        return checked_length(check_name(name, what), what)


def checked_length(name: str, what: str) -> str:
    """Return a name that fits into an index. Raises `InvalidName` for a longer one."""
    if len(name) * 4 > _LONGEST and len(name.encode()) > _LONGEST:
        raise InvalidName(
            f"{what}={name[:50]!r}…: {len(name.encode()):,} bytes; a database keeps names of at "
            f"most {_LONGEST:,} bytes in UTF-8; choose a shorter one"
        )
    return name
