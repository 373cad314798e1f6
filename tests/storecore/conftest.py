"""Fixtures for the tests of core: packages that are really installed, and a call of each write."""

from __future__ import annotations

import importlib
import sys
from datetime import datetime
from pathlib import Path
from textwrap import dedent

import pytest

from storecore import OrderResult

JAN_5 = datetime(2026, 1, 5)


class Site:
    """A folder of installed distributions: for each its `.dist-info` and its modules."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, name, version="1.0", *, modules=None, metadata="", **groups):
        """Install a distribution; a group `backends` or `plugins` maps names to entry points."""
        info = self.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        header = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (info / "METADATA").write_text(header + dedent(metadata).lstrip())
        (info / "entry_points.txt").write_text(
            "".join(
                f"[storecore.{group}]\n"
                + "".join(f"{key} = {value}\n" for key, value in of.items())
                for group, of in groups.items()
            )
        )
        for module, source in (modules or {}).items():
            (self.folder / f"{module}.py").write_text(dedent(source))
        importlib.invalidate_caches()
        return info

    def backend(self, source, *, name="broken", entry_point=None, metadata=""):
        """Install the distribution `acme-NAME` 1.5, whose module is the backend of that name."""
        module = f"acme_{name}"
        return self.install(
            f"acme-{name}",
            "1.5",
            modules={module: source},
            backends={name: entry_point or module},
            metadata=metadata,
        )


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A site folder on `sys.path`, forgotten after the test with all that was imported from it."""
    monkeypatch.setattr("storecore.plugins.observers._loaded", None)
    monkeypatch.setattr("storecore.plugins.observers._loaded_with", ())
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield Site(folder)
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture
def writes(bar, fundamental, event, decision, order):
    """The arguments, by name, of one good call of each of the six writes."""
    return {
        "write_bars": {"symbol": "AAPL", "bars": [bar()]},
        "write_fundamental": {"symbol": "AAPL", "data": fundamental()},
        "write_event": {"event": event()},
        "save_strategy_state": {"strategy_name": "value", "state": {"cash": 1}},
        "log_decision": {"strategy_name": "value", "decision": decision()},
        "log_order": {
            "strategy_name": "value",
            "order": order(),
            "result": OrderResult(order_id="1", status="filled"),
        },
    }
