"""The records that a store keeps: immutable msgspec Structs with value equality.

Times are instants in UTC to the microsecond; a naive `datetime` is taken as UTC. Prices are in the
quote currency, volumes and quantities in shares (or coins, or contracts): whole or fractional.
A struct does not check its fields when it is created; a store checks them when it writes them.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Side = Literal["BUY", "SELL"]
"""What an order does."""
Share = Annotated[float, Meta(ge=0, le=1)]
"""A fraction of a whole, from 0 to 1."""
Count = Annotated[int, Meta(ge=0)]
"""A number of records, 0 or more."""
Checksum = Annotated[str, Meta(pattern="^[0-9a-f]{64}\\Z")]
"""A SHA-256 in 64 lowercase hex digits."""


class PriceBar(Struct, frozen=True, gc=False, omit_defaults=True, repr_omit_defaults=True):
    """One bar of one symbol: its prices and its volume from `date` until the next bar.

    `date` is the start of the bar. A `datetime.date` is accepted too: it stands for its midnight
    and is returned as a `datetime`. A whole volume is returned as an `int`; None is a volume that
    was not reported. `extra` has the further columns of the bar by name, without those that are
    null: `float`, `int` of 64 bits, `bool`, `str` or `datetime`. It is None if there are none.
    """

    symbol: str
    date: datetime
    open: float
    high: float
    low: float
    close: float
    volume: int | float | None
    extra: dict[str, Any] | None = None


class FundamentalData(Struct, frozen=True, kw_only=True):
    """Facts about a company, known from `timestamp` on: the time of the filing, not its period.

    `extra` holds further facts as JSON values: earnings per share, the form, the accession number.
    A timestamp in a named time zone comes back in it, as a `zoneinfo.ZoneInfo`.
    """

    symbol: str
    timestamp: datetime
    company_name: str
    cik: str
    employees: int | None = None
    shares_outstanding: int | float | None = None
    float_shares: int | float | None = None
    industry: str | None = None
    category: str | None = None
    subcategory: str | None = None
    raw_xml: str
    extra: dict[str, Any] | None = None


class Event(Struct, frozen=True):
    """Something that happened at `timestamp` and that the system learned of at `ingested_at`.

    `symbol` is None for an event of the system itself. `payload` holds JSON values only.
    """

    type: str
    symbol: str | None
    timestamp: datetime
    ingested_at: datetime
    source: str
    payload: dict[str, Any]


class Action(Enum):
    """What a strategy decided to do with a symbol."""

    HOLD = "hold"
    BUY = "buy"
    SELL = "sell"
    EXIT = "exit"


class Decision(Struct, frozen=True):
    """What a strategy decided and why.

    `target_weight` is any finite number: below 0 for a short position, above 1 with leverage.
    `confidence` lies between 0 and 1. `extra` holds further JSON values.
    """

    symbol: str
    action: Action
    target_weight: float
    confidence: Share
    reasoning: str
    extra: dict[str, Any] | None = None


class Order(Struct, frozen=True):
    """An order as the strategy `strategy_name` sent it.

    `order_type` is "MARKET", "LIMIT" or any other type that the broker knows. `extra` holds further
    JSON values: a time in force, a route.
    """

    strategy_name: str
    symbol: str
    action: Side
    quantity: int | float
    order_type: str
    limit_price: float | None = None
    extra: dict[str, Any] | None = None


class OrderResult(Struct, frozen=True):
    """The broker's response; `status` is "submitted", "filled", "rejected", "cancelled", ….

    `order_id` is returned as given: the int 7 and the str "7" are different ids. `extra` holds
    further JSON values: fees, a venue.
    """

    order_id: int | str
    status: str
    fill_price: float | None = None
    fill_quantity: int | float | None = None
    message: str | None = None
    extra: dict[str, Any] | None = None


class Read(Struct, frozen=True):
    """The receipt of one read: the question, and the checksum of its answer.

    `call` and `arguments` (JSON values by parameter) are the question, `as_of` and `recorded` the
    two bounds of the view that it was put to, `read_at` is the store's time when it was answered.
    `rows` and `sha256` are the number of records of the answer and the checksum over them, as
    `storecore/knowledge/RECEIPTS.md` defines it.
    """

    call: str
    arguments: dict[str, Any]
    rows: Count
    sha256: Checksum
    as_of: datetime
    recorded: datetime | None
    read_at: datetime


class DecisionRecord(Struct, frozen=True):
    """One line of the decision log.

    `seq` counts from 1 without gaps and defines the order. `timestamp` is the time of logging, in
    UTC. `hash` is the SHA-256 of the line's bytes before the hash; `prev` is the `hash` of the
    previous record, empty in the first one.

    `as_of` is the time of the decision, if it was given: in a backtest another one than
    that of logging. `run` is the name of the backtest; the live log has none. `reads` are the
    receipts of what was read for the decision, as JSON objects with the fields of `Read`.
    """

    seq: int
    timestamp: datetime
    strategy: str
    decision: Decision
    prev: str
    hash: str
    as_of: datetime | None = None
    run: str | None = None
    reads: list[dict[str, Any]] | None = None


class OrderRecord(Struct, frozen=True):
    """One line of the order log; see `DecisionRecord` for the other fields."""

    seq: int
    timestamp: datetime
    strategy: str
    order: Order
    result: OrderResult
    prev: str
    hash: str
    as_of: datetime | None = None
    run: str | None = None
    reads: list[dict[str, Any]] | None = None
