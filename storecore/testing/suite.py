"""`DataStoreSuite`: every law's tests, to be inherited by the tests of a backend.

```python
class TestMine(DataStoreSuite):
    known_failures = {"test_d5_no_flipped_bit_changes_an_answer_unnoticed": "no checksums yet"}

    @pytest.fixture
    def spec(self):
        return storecore_backend()

    @pytest.fixture
    def place(self, tmp_path):
        return tmp_path / "place"

    @pytest.fixture
    def reopen(self, place):
        return partial(MyStore, place)

    @pytest.fixture
    def store(self, reopen):
        with reopen() as store:
            yield store
```

Only `store` is required; `storecore.testing.fixtures` says what each is for. A law cannot be taken
out: overriding a test, or a fixture that is the kit's own, is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import getattr_static
from typing import Any

from storecore.errors import shown
from storecore.testing.audit import AuditLaws
from storecore.testing.audit_runs import RunLaws
from storecore.testing.bar_stream import BarStreamLaws
from storecore.testing.bar_tables import BarTableLaws
from storecore.testing.bars import BarLaws
from storecore.testing.behaviour import BehaviourLaws
from storecore.testing.bounds import BoundLaws
from storecore.testing.bulk import BulkLaws
from storecore.testing.bulk_audit import BulkAuditLaws
from storecore.testing.catalog import CatalogLaws
from storecore.testing.deletions import DeletionLaws
from storecore.testing.disk_usage import DiskUsageLaws
from storecore.testing.durability import DurabilityLaws
from storecore.testing.events import EventLaws
from storecore.testing.extra_columns import ExtraColumnLaws
from storecore.testing.filters import FilterLaws
from storecore.testing.fixtures import GIVEN, Fixtures
from storecore.testing.forms import FormLaws
from storecore.testing.freshness import FreshnessLaws
from storecore.testing.fundamentals import FundamentalLaws
from storecore.testing.history import HistoryLaws
from storecore.testing.known import KnownLaws
from storecore.testing.life import LifeLaws
from storecore.testing.maintenance import MaintenanceLaws
from storecore.testing.names import NameLaws
from storecore.testing.presence import PresenceLaws
from storecore.testing.processes import ProcessLaws
from storecore.testing.protocol import ProtocolLaws
from storecore.testing.questions import QuestionLaws
from storecore.testing.receipts import ReceiptLaws
from storecore.testing.recorded import RecordedLaws
from storecore.testing.reopened import ReopenedLaws
from storecore.testing.sizes import SizeLaws
from storecore.testing.states import StateLaws
from storecore.testing.tampering import TamperingLaws
from storecore.testing.threads import ThreadLaws
from storecore.testing.times import TimeLaws
from storecore.testing.together import TogetherLaws
from storecore.testing.transfer import TransferLaws
from storecore.testing.versioned_state import VersionedStateLaws
from storecore.testing.whole import WholeLaws
from storecore.testing.zones import ZoneLaws
from storecore.values.suggestions import did_you_mean

BASE_LAWS: tuple[type[Fixtures], ...] = (
    ProtocolLaws,
    NameLaws,
    TimeLaws,
    BarLaws,
    ExtraColumnLaws,
    FundamentalLaws,
    EventLaws,
    StateLaws,
    LifeLaws,
    FreshnessLaws,
    ThreadLaws,
    HistoryLaws,
    SizeLaws,
    ZoneLaws,
    FilterLaws,
    WholeLaws,
    BehaviourLaws,
    TamperingLaws,
    TogetherLaws,
    BoundLaws,
    FormLaws,
    ReopenedLaws,
    ProcessLaws,
    DurabilityLaws,
    PresenceLaws,
    QuestionLaws,
    DeletionLaws,
    RunLaws,
    KnownLaws,
    ReceiptLaws,
)
CAPABILITY_LAWS: dict[str, type[Fixtures]] = {
    "BarTables": BarTableLaws,
    "BarStream": BarStreamLaws,
    "Catalog": CatalogLaws,
    "AuditTrail": AuditLaws,
    "Bulk": BulkLaws,
    "BulkAudit": BulkAuditLaws,
    "VersionedState": VersionedStateLaws,
    "DiskUsage": DiskUsageLaws,
    "Transfer": TransferLaws,
    "Maintenance": MaintenanceLaws,
    "History": RecordedLaws,
}


class DataStoreSuite(*BASE_LAWS, *CAPABILITY_LAWS.values()):  # type: ignore[misc]
    """All laws, to be proven of the store that the fixture `store` gives."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        overridden = [name for name in own_names() if _differs(cls, name)]
        if overridden:
            raise TypeError(
                f"{cls.__name__} overrides {', '.join(overridden)}: a law cannot be taken out; "
                "list a test that is known to fail in `known_failures`, with the reason"
            )
        check_known_failures(cls.known_failures, f"{cls.__name__}.known_failures")

    @classmethod
    def title(cls, backend: str | None) -> str:
        """Return what a report calls the suite; `backend` is the one of the command line."""
        return cls.__name__


def tests() -> list[str]:
    """Return the names of all tests of the suite, sorted."""
    return sorted(name for name in dir(DataStoreSuite) if name.startswith("test_"))


def own_names() -> list[str]:
    """Return the names of the suite that who inherits it must leave as they are."""
    free = {*GIVEN, "title"}
    return sorted(name for name in dir(DataStoreSuite) if name[0] != "_" and name not in free)


def check_known_failures(known: Any, place: str) -> None:
    """Refuse a list of known failures that names no test, or gives no reason."""
    if not isinstance(known, Mapping):
        raise TypeError(f"{place}: expected a dict of tests and reasons, got {shown(known)}")
    for name, reason in known.items():
        if name not in tests():
            raise TypeError(f"{place}: no test {name!r}{did_you_mean(name, tests())}")
        if not (isinstance(reason, str) and reason.strip()):
            raise TypeError(f"{place}: {name} needs the reason why it is known to fail")


def _differs(cls: type, name: str) -> bool:
    # Statically: pytest makes a fixture anew whenever one is looked up.
    return getattr_static(cls, name) is not getattr_static(DataStoreSuite, name)
