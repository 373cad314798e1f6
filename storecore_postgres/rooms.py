"""The rooms of a store, opened and closed together."""

from __future__ import annotations

from typing import Any

from storecore.errors import ConfigError, InvalidName, NotSerializable
from storecore.models import DecisionRecord, OrderRecord
from storecore.store.base import Closing
from storecore.values.names import check_name
from storecore_postgres.audit.log import AuditLog
from storecore_postgres.bars import Bars
from storecore_postgres.database import Database, Pool
from storecore_postgres.events import Events
from storecore_postgres.fundamentals import Fundamentals
from storecore_postgres.schema.installation import prepared
from storecore_postgres.schema.layouts import DISTRIBUTIONS
from storecore_postgres.schema.tables import quoted
from storecore_postgres.states import States

_LONGEST = 1_300  # bytes; two such names and a date fit into an entry of an index
_POOL = Pool()
# The moment at which it was started tells a server from its copies, which have its other numbers.
_PLACE = """
SELECT concat_ws(' ', extract(epoch FROM pg_postmaster_start_time()), d.oid, n.oid)
FROM pg_database d, pg_namespace n WHERE d.datname = current_database() AND n.nspname = %s
"""


class Rooms(Closing):
    """What a store in a database consists of: a room a kind of data, in one schema."""

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
        layout = prepared(database, place, distribution, create=create)
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
        """Return the identity of the schema and its server, whatever the DSN calls it."""
        self._check_open()
        rows = self._database.rows("asking which place it is", _PLACE, [self._schema])
        return frozenset(f"schema {row[0]}" for row in rows)

    def __reduce__(self) -> Any:
        raise NotSerializable(
            f"a {type(self).__name__} cannot be pickled or copied: it holds connections of this "
            "process and the password of its dsn; open it again where it is used, with open_store"
        )

    def close(self) -> None:
        """Let go of all connections. A second call does nothing."""
        super().close()
        self._database.close()

    def _series(self, symbol: str, timeframe: str) -> tuple[str, str]:
        return self._name(symbol, "symbol"), self._name(timeframe, "timeframe")

    def _name(self, name: str, what: str) -> str:
        self._check_open()
        return checked_length(check_name(name, what), what)


def checked_length(name: str, what: str) -> str:
    """Return a name that an index can keep. Raises `InvalidName`."""
    if len(name) * 4 > _LONGEST and len(name.encode()) > _LONGEST:
        raise InvalidName(
            f"{what}={name[:50]!r}…: {len(name.encode()):,} bytes; a database keeps names of at "
            f"most {_LONGEST:,} bytes in UTF-8; give it a shorter one"
        )
    return name
