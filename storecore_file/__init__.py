"""The file backend: bars in Parquet, documents in JSON, logs in JSONL, in a folder of files.

    from storecore_file import FileDataStore
    store = FileDataStore(base_path="data")

`FileDataStore` is imported when it is first used: only then is pyarrow loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from storecore_file.store import FileDataStore as FileDataStore

__all__ = ["FileDataStore"]


def __getattr__(name: str) -> Any:
    """Import the store when it is first used."""
    if name != "FileDataStore":
        raise AttributeError(f"module 'storecore_file' has no attribute {name!r}")
    from storecore_file.store import FileDataStore

    return FileDataStore
