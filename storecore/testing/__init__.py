"""The conformance kit: proves that a backend obeys the laws. It needs `storecore[testing]`.

Without any code, for an installed backend; `{tmp}` stands for a fresh folder for each test,
`{unique}` for a fresh short name (of a schema, say), whose data is removed afterwards:

    pytest --pyargs storecore.testing --storecore-backend NAME --storecore-set key=value

From a program: `report = storecore.testing.validate(spec, {"path": "{tmp}/data"})`.

With a few lines, in a test module of the backend's own:

```python
from storecore.testing import DataStoreSuite

class TestMine(DataStoreSuite):
    @pytest.fixture
    def store(self, tmp_path):
        with MyStore(tmp_path) as store:
            yield store
```

`KIT` is the version of the kit. LAWS.md says what each version had, and how to pin one.

For strategies rather than backends: `look_ahead_of(strategy, store, days)` names the first decision
that depends on what was not known yet.

`storecore.testing.suite` says what else such a class may give. Nothing is imported before it is
asked for: the kit's pytest plugin lies in this package and is loaded by every run of pytest.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from storecore.testing.kit import KIT as KIT
    from storecore.testing.look_ahead import LookAheadFinding as LookAheadFinding
    from storecore.testing.look_ahead import look_ahead_of as look_ahead_of
    from storecore.testing.suite import DataStoreSuite as DataStoreSuite
    from storecore.testing.validation import validate as validate

__all__ = ["KIT", "DataStoreSuite", "LookAheadFinding", "look_ahead_of", "validate"]
_NEEDED = ("pytest", "hypothesis")
_MODULES = {"DataStoreSuite": "suite", "validate": "validation"}
_PLAIN = {"KIT": "kit", "LookAheadFinding": "look_ahead", "look_ahead_of": "look_ahead"}
"""What needs neither pytest nor hypothesis."""


def __getattr__(name: str) -> object:
    """Import what is asked for when it is first asked for."""
    from importlib import import_module

    if name in _PLAIN:
        return getattr(import_module(f"{__name__}.{_PLAIN[name]}"), name)
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        for each in _NEEDED:
            import_module(each)
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        missing = error.name
    from storecore.errors import BackendLoadError

    raise BackendLoadError(f"the kit needs {missing}: pip install 'storecore[testing]'")
