"""What the entry point `file` names: the spec of the file backend and its options."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

from msgspec import Struct

from storecore.knowledge.clock import checked_history
from storecore.plugins.spec import BackendSpec, hookimpl
from storecore.states import KEPT_VERSIONS, checked_kept
from storecore_file.bars.decoded import CACHE_BYTES
from storecore_file.store import FileDataStore, checked_cache_bytes


class FileConfig(Struct, frozen=True, kw_only=True):
    """The options of the file backend; `FileDataStore` says what they mean."""

    base_path: Path
    durability: Literal["full", "os"] = "full"
    lock_timeout: float = 30.0
    state_versions: int = KEPT_VERSIONS
    history: bool | str = True
    cache_bytes: int = CACHE_BYTES

    def __post_init__(self) -> None:
        # Here, so that the errors name the place in the config.
        checked_kept(self.state_versions)
        checked_history(self.history)
        checked_cache_bytes(self.cache_bytes)


@hookimpl
def storecore_backend() -> BackendSpec:
    """Return the spec of the `file` backend."""
    return BackendSpec(
        name="file",
        config=FileConfig,
        open=_open,
        open_existing=partial(_open, create=False),
        capabilities=frozenset(
            {
                "BarTables",
                "BarStream",
                "Catalog",
                "AuditTrail",
                "Bulk",
                "BulkAudit",
                "VersionedState",
                "DiskUsage",
                "Transfer",
                "Maintenance",
                "History",
            }
        ),
        promises=frozenset({"durable", "shared", "sealed", "forked", "pickled"}),
        summary="a folder of Parquet, JSON and JSONL files",
    )


def _open(config: FileConfig, *, create: bool = True) -> FileDataStore:
    return FileDataStore(
        config.base_path,
        durability=config.durability,
        lock_timeout=config.lock_timeout,
        state_versions=config.state_versions,
        history=config.history,
        cache_bytes=config.cache_bytes,
        create=create,
    )
