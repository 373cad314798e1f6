"""A bar and a tick, with the fields that vnpy gives them."""

from dataclasses import field, make_dataclass
from datetime import datetime

from .constant import Exchange, Interval

PRICES = ("open_price", "high_price", "low_price")
TICK = (
    *("volume", "turnover", "open_interest", "last_price", "last_volume", "limit_up"),
    *("limit_down", *PRICES, "pre_close"),
    *(
        f"{side}_{what}_{level}"
        for what in ("price", "volume")
        for side in ("bid", "ask")
        for level in range(1, 6)
    ),
)
BAR = ("volume", "turnover", "open_interest", *PRICES, "close_price")


class Named:
    def __post_init__(self):
        self.vt_symbol = f"{self.symbol}.{self.exchange.value}"


def record(name, *fields):
    """Return a dataclass of a symbol at a time."""
    first = [
        ("gateway_name", str),
        ("extra", dict | None, field(default=None, init=False)),
        ("symbol", str),
        ("exchange", Exchange),
        ("datetime", datetime),
    ]
    return make_dataclass(name, [*first, *fields], bases=(Named,))


def numbers(names):
    return [(name, float, field(default=0)) for name in names]


TickData = record(
    "TickData",
    ("name", str, field(default="")),
    *numbers(TICK),
    ("localtime", datetime | None, field(default=None)),
)
BarData = record("BarData", ("interval", Interval | None, field(default=None)), *numbers(BAR))
