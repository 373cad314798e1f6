"""The intervals, and some of the exchanges."""

from enum import Enum


class Exchange(Enum):
    CFFEX = "CFFEX"
    NASDAQ = "NASDAQ"


class Interval(Enum):
    MINUTE = "1m"
    HOUR = "1h"
    DAILY = "d"
    WEEKLY = "w"
    TICK = "tick"
