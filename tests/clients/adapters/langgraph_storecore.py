"""LangGraph's checkpoints over the states of a store: `StorecoreSaver(store)`.

A checkpoint is one state. Its name is "langgraph/THREAD/NAMESPACE/ID" with quoted parts, so that a
prefix lists a thread or a namespace. Tasks write to a checkpoint at the same time, each by reading
the state and saving it with the version that it has read, until no other has come between.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from functools import partial
from urllib.parse import quote, unquote

from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    CheckpointTuple,
    get_checkpoint_id,
    get_checkpoint_metadata,
    writes_sort_key,
)

from storecore import StateConflict

EMPTY = {"parent": None, "checkpoint": None, "metadata": None, "writes": []}


def _name(*parts):
    return "/".join(["langgraph", *(quote(part, safe="") for part in parts)])


def _config(name):
    thread, namespace, checkpoint = map(unquote, name.split("/")[1:])
    place = {"thread_id": thread, "checkpoint_ns": namespace, "checkpoint_id": checkpoint}
    return {"configurable": place}


class StorecoreSaver(BaseCheckpointSaver):
    """Keeps checkpoints, their metadata and pending writes. Do not prune a graph of DeltaChannels.

    The methods of asyncio make the same calls in threads.
    """

    def __init__(self, store, **options):
        super().__init__(**options)
        self.store = store

    # Reading

    def get_tuple(self, config):
        """Return a checkpoint, or the newest of its thread and namespace; None if there is none."""
        place = config["configurable"]
        within = (place["thread_id"], place.get("checkpoint_ns", ""))
        if wanted := get_checkpoint_id(config):
            return self._tuple(_name(*within, wanted))
        names = self.store.strategies(prefix=_name(*within, ""))
        return next(filter(None, map(self._tuple, reversed(names))), None)

    def list(self, config, *, filter=None, before=None, limit=None):
        """Yield the checkpoints that match, those of a namespace from the newest to the oldest."""
        last = get_checkpoint_id(before) if before else None
        found = 0
        for name in self._names(config):
            if limit is not None and found >= limit:
                return
            if last and _config(name)["configurable"]["checkpoint_id"] >= last:
                continue
            each = self._tuple(name)
            wanted = (filter or {}).items()
            if each and all(each.metadata.get(key) == value for key, value in wanted):
                found += 1
                yield each

    def _names(self, config):
        """Return the names of the checkpoints that a config stands for, in order."""
        place = config["configurable"] if config else {}
        parts = [place.get(key) for key in ("thread_id", "checkpoint_ns", "checkpoint_id")]
        known = parts[: parts.index(None)] if None in parts else parts
        names = self.store.strategies(prefix=_name(*known, *([""] if None in parts else [])))
        wanted = place.get("checkpoint_id")
        kept = [each for each in names if not wanted or each.endswith(f"/{quote(wanted, safe='')}")]
        newest_first = sorted(kept, key=lambda name: name.rpartition("/")[2], reverse=True)
        return sorted(newest_first, key=lambda name: name.rpartition("/")[0])

    def _tuple(self, name):
        """Return a checkpoint; None if there is none, or only writes for one that is to come."""
        state = self.store.load_strategy_state(name)
        if state is None or state["checkpoint"] is None:
            return None
        config = _config(name)
        parent = {**config["configurable"], "checkpoint_id": state["parent"]}
        return CheckpointTuple(
            config,
            self._decoded(state["checkpoint"]),
            self._decoded(state["metadata"]),
            {"configurable": parent} if state["parent"] else None,
            [
                (each["task"], each["channel"], self._decoded(each["value"]))
                for each in sorted(state["writes"], key=_order)
            ],
        )

    # Writing

    def put(self, config, checkpoint, metadata, new_versions):
        """Save a checkpoint with all its values; writes that it has are kept."""
        place = config["configurable"]
        name = _name(place["thread_id"], place.get("checkpoint_ns", ""), checkpoint["id"])
        saved = {
            "parent": place.get("checkpoint_id"),
            "checkpoint": self._encoded(checkpoint),
            "metadata": self._encoded(get_checkpoint_metadata(config, metadata)),
        }
        self._change(name, lambda state: {**state, **saved})
        return _config(name)

    def put_writes(self, config, writes, task_id, task_path=""):
        """Add the writes of a task. A write that is there stays, but for errors and interrupts."""
        place = config["configurable"]
        name = _name(place["thread_id"], place.get("checkpoint_ns", ""), place["checkpoint_id"])
        given = {}
        for number, (channel, value) in enumerate(writes):
            index = WRITES_IDX_MAP.get(channel, number)
            given[task_id, index] = {
                "path": task_path,
                "task": task_id,
                "index": index,
                "channel": channel,
                "value": self._encoded(value),
            }

        def add(state):
            known = {(each["task"], each["index"]): each for each in state["writes"]}
            new = {key: each for key, each in given.items() if key[1] < 0 or key not in known}
            return {**state, "writes": [*{**known, **new}.values()]}

        self._change(name, add)

    def _change(self, name, changed):
        while True:
            found = self.store.load_versioned_state(name)
            try:
                state = changed(found.state or EMPTY)
                return self.store.save_strategy_state(name, state, expect=found.version)
            except StateConflict:
                continue  # another task has saved it since

    # Deleting and copying

    def delete_thread(self, thread_id):
        """Delete all of a thread, one checkpoint after another."""
        for name in self.store.strategies(prefix=_name(thread_id, "")):
            self.store.delete_strategy_state(name)

    def delete_for_runs(self, run_ids):
        """Delete the checkpoints whose metadata name one of the runs."""
        for run in run_ids:
            for each in self.list(None, filter={"run_id": run}):
                place = each.config["configurable"]
                self.store.delete_strategy_state(_name(*place.values()))

    def copy_thread(self, source_thread_id, target_thread_id):
        """Copy all of a thread, one checkpoint after another."""
        source, target = _name(source_thread_id, ""), _name(target_thread_id, "")
        for name in self.store.strategies(prefix=source):
            state = self.store.load_strategy_state(name)
            self.store.save_strategy_state(target + name.removeprefix(source), state)

    def prune(self, thread_ids, *, strategy="keep_latest"):
        """Delete all checkpoints of threads, or all but the newest of each namespace."""
        for thread in thread_ids:
            names = self.store.strategies(prefix=_name(thread, ""))
            newest = {name.rpartition("/")[0]: name for name in names}
            kept = newest.values() if strategy == "keep_latest" else ()
            for name in set(names).difference(kept):
                self.store.delete_strategy_state(name)

    # Documents

    def _encoded(self, value):
        kind, data = self.serde.dumps_typed(value)
        return [kind, b64encode(data).decode()]

    def _decoded(self, encoded):
        kind, data = encoded
        return self.serde.loads_typed((kind, b64decode(data)))

    # asyncio

    async def aget_tuple(self, config):
        """Do what `get_tuple` does."""
        return await asyncio.to_thread(self.get_tuple, config)

    async def alist(self, config, *, filter=None, before=None, limit=None):
        """Do what `list` does."""
        found = partial(self.list, config, filter=filter, before=before, limit=limit)
        for each in await asyncio.to_thread(lambda: [*found()]):
            yield each

    async def aput(self, config, checkpoint, metadata, new_versions):
        """Do what `put` does."""
        return await asyncio.to_thread(self.put, config, checkpoint, metadata, new_versions)

    async def aput_writes(self, config, writes, task_id, task_path=""):
        """Do what `put_writes` does."""
        await asyncio.to_thread(self.put_writes, config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id):
        """Do what `delete_thread` does."""
        await asyncio.to_thread(self.delete_thread, thread_id)

    async def adelete_for_runs(self, run_ids):
        """Do what `delete_for_runs` does."""
        await asyncio.to_thread(self.delete_for_runs, run_ids)

    async def acopy_thread(self, source_thread_id, target_thread_id):
        """Do what `copy_thread` does."""
        await asyncio.to_thread(self.copy_thread, source_thread_id, target_thread_id)

    async def aprune(self, thread_ids, *, strategy="keep_latest"):
        """Do what `prune` does."""
        await asyncio.to_thread(self.prune, thread_ids, strategy=strategy)


def _order(write):
    return writes_sort_key(write["path"], write["task"], write["index"])
