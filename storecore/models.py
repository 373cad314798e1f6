"""The records that a store keeps: immutable msgspec Structs with value equality.

Times are instants in UTC to the microsecond; a naive `datetime` is taken as UTC. Prices are in the
quote currency, volumes and quantities in shares (or coins, or contracts): whole or fractional.
Structs do not check their fields when they are made; a store checks them when they are written.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Side = Literal["BUY", "SELL"]
Share = Annotated[float, Meta(ge=0, le=1)]


class PriceBar(Struct, frozen=True, gc=False):
    """One bar of one symbol: what it traded at from `date` until the next bar.

    `date` is the start of the bar. A `datetime.date` may be given too: it stands for its midnight,
    and comes back as a `datetime`. A volume that is whole comes back as an `int`.
    """

    symbol: str
    date: datetime
    open: float
    high: float
    low: float
    close: float
    volume: int | float


class FundamentalData(Struct, frozen=True, kw_only=True):
    """What was known of a company from `timestamp` on (the time of the filing, not its period)."""

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
    EXIT = "exit"


class Decision(Struct, frozen=True):
    """What a strategy decided and why.

    `target_weight` is any finite number: below 0 for a short position, above 1 with leverage.
    `confidence` lies between 0 and 1.
    """

    symbol: str
    action: Action
    target_weight: float
    confidence: Share
    reasoning: str


class Order(Struct, frozen=True):
    """An order as it was sent, by the strategy that it is logged under.

    `order_type` is "MARKET", "LIMIT" or another word that the broker knows.
    """

    strategy_name: str
    symbol: str
    action: Side
    quantity: int | float
    order_type: str
    limit_price: float | None = None


class OrderResult(Struct, frozen=True):
    """What the broker answered: `status` is "submitted", "filled", "rejected", "cancelled", ….

    `order_id` comes back as given: the int 7 and the str "7" are two ids.
    """

    order_id: int | str
    status: str
    fill_price: float | None = None
    fill_quantity: int | float | None = None
    message: str | None = None


class DecisionRecord(Struct, frozen=True):
    """One line of the decision log.

    `seq` counts from 1 without a gap and gives the order; `timestamp` is when it was logged, in
    UTC. `hash` is the SHA-256 of the line's bytes before the hash, `prev` the `hash` of the record
    before (empty for the first).
    """

    seq: int
    timestamp: datetime
    strategy: str
    decision: Decision
    prev: str
    hash: str


class OrderRecord(Struct, frozen=True):
    """One line of the order log; its other fields are those of `DecisionRecord`."""

    seq: int
    timestamp: datetime
    strategy: str
    order: Order
    result: OrderResult
    prev: str
    hash: str
