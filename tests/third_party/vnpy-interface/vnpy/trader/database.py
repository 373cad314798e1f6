"""The interface of a database, and how vnpy finds the one that its settings name."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from zoneinfo import ZoneInfo

from .constant import Exchange, Interval
from .setting import SETTINGS

DB_TZ = ZoneInfo(SETTINGS["database.timezone"])


def convert_tz(dt):
    """Return a time in the zone of the database, naive."""
    return dt.astimezone(DB_TZ).replace(tzinfo=None)


@dataclass
class BarOverview:
    symbol: str = ""
    exchange: Exchange | None = None
    interval: Interval | None = None
    count: int = 0
    start: datetime | None = None
    end: datetime | None = None


@dataclass
class TickOverview:
    symbol: str = ""
    exchange: Exchange | None = None
    count: int = 0
    start: datetime | None = None
    end: datetime | None = None


class BaseDatabase(ABC):
    @abstractmethod
    def save_bar_data(self, bars, stream=False): ...

    @abstractmethod
    def save_tick_data(self, ticks, stream=False): ...

    @abstractmethod
    def load_bar_data(self, symbol, exchange, interval, start, end): ...

    @abstractmethod
    def load_tick_data(self, symbol, exchange, start, end): ...

    @abstractmethod
    def delete_bar_data(self, symbol, exchange, interval): ...

    @abstractmethod
    def delete_tick_data(self, symbol, exchange): ...

    @abstractmethod
    def get_bar_overview(self): ...

    @abstractmethod
    def get_tick_overview(self): ...


def get_database():
    """Return the database of the module that the settings name."""
    return import_module(f"vnpy_{SETTINGS['database.name']}").Database()
