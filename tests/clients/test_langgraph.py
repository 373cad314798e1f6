"""LangGraph: its conformance suite for checkpointers passes over the states of a store."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

import storecore

pytestmark = pytest.mark.soak
CONFIG = {"configurable": {"thread_id": "t/1", "checkpoint_ns": "child:1"}}


@pytest.fixture
def saver(adapter):
    found = adapter("langgraph_storecore", "langgraph.checkpoint.conformance")
    return found.StorecoreSaver


@pytest.fixture
def put(saver):
    """Put a checkpoint, or the next one of its thread, into a store."""
    from langgraph.checkpoint.base import empty_checkpoint

    def put(store, config=CONFIG, **values):
        versions = dict.fromkeys(values, 1)
        checkpoint = {**empty_checkpoint(), "channel_values": values, "channel_versions": versions}
        return saver(store).put(config, checkpoint, {"source": "loop", "step": 0}, versions)

    return put


def test_it_passes_the_conformance_suite_with_all_capabilities(saver, store):
    from langgraph.checkpoint.conformance import checkpointer_test, validate
    from langgraph.checkpoint.conformance.capabilities import Capability

    @checkpointer_test(name="storecore")
    async def factory():
        yield saver(store)

    report = asyncio.run(validate(factory))
    assert {name: each.failures for name, each in report.results.items()} == {
        each.value: [] for each in Capability
    }
    assert all(each.passed for each in report.results.values())
    assert report.conformance_level() == "FULL"


def test_tasks_that_write_to_a_checkpoint_at_once_lose_nothing(saver, store, put):
    config = put(store, messages=["hello"])
    tasks = [f"task {number:02}" for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda task: saver(store).put_writes(config, [("a", task)], task), tasks))
    found = saver(store).get_tuple(config)
    assert found.pending_writes == [(task, "a", task) for task in tasks]


def test_writes_that_arrive_before_their_checkpoint_are_kept(saver, store, put):
    from langgraph.checkpoint.base import empty_checkpoint

    checkpoint = empty_checkpoint()
    config = {"configurable": {**CONFIG["configurable"], "checkpoint_id": checkpoint["id"]}}
    saver(store).put_writes(config, [("a", 1)], "task")
    assert saver(store).get_tuple(CONFIG) is None
    saver(store).put(CONFIG, checkpoint, {}, {})
    assert saver(store).get_tuple(CONFIG).pending_writes == [("task", "a", 1)]


def test_values_that_json_does_not_have_are_there_after_the_store_is_opened_again(
    saver, put, tmp_path
):
    values = {"message": b"\x00hello", "seen": {1, 2}, "at": datetime(2026, 1, 5), "none": None}
    with storecore.open_store("file", base_path=tmp_path) as store:
        put(store, **values)
    with storecore.open_store("file", base_path=tmp_path) as store:
        found = saver(store).get_tuple(CONFIG)
        assert found.checkpoint["channel_values"] == values
        assert store.verify().ok


def test_a_thread_whose_name_begins_like_another_is_another(saver, store, put):
    for thread in ("a", "a/b", "a%2Fb", "A"):
        put(store, {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}, thread=thread)
    saver(store).delete_thread("a")
    left = [each.checkpoint["channel_values"]["thread"] for each in saver(store).list(None)]
    assert sorted(left) == ["A", "a%2Fb", "a/b"]
