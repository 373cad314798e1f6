"""Stands in for prometheus_client: the two names of it that the guide for observers uses."""

from __future__ import annotations

from threading import Thread

served: list[int] = []


class Counter:
    """A number for each label, which only grows."""

    def __init__(self, name: str, documentation: str, labelnames: list[str]) -> None:
        self.values: dict[str, float] = {}

    def labels(self, value: str) -> Child:
        return Child(self, value)


class Child:
    """The number of one label."""

    def __init__(self, counter: Counter, value: str) -> None:
        self.counter, self.value = counter, value

    def inc(self, amount: float = 1) -> None:
        self.counter.values[self.value] = self.counter.values.get(self.value, 0.0) + amount


def start_http_server(port: int) -> tuple[None, Thread]:
    if port == 1:
        raise PermissionError("no right to this port")
    served.append(port)
    return None, Thread()
