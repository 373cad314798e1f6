"""What a forked child must not inherit of a store of files."""

from __future__ import annotations

from storecore.values.fork import _reset

FORKING = """if True:
    import os, sys, threading
    from datetime import datetime
    from storecore import PriceBar
    from storecore_file import FileDataStore

    store = FileDataStore(sys.argv[1])
    bar = PriceBar("A", datetime(2026, 1, 5), 1.0, 1.0, 1.0, 1.0, 1)
    store.write_bars("A", [bar])
    held, done = threading.Event(), threading.Event()

    def hold():
        with store._bars._journal._reading, store._bars._decoded._lock:
            held.set()
            done.wait()

    threading.Thread(target=hold).start()
    held.wait()
    child = os.fork()
    if not child:
        store.write_bars("A", [bar])
        os._exit(0 if store.read_bars("A", datetime.min, datetime.max) == [bar] else 1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    done.set()
"""


def test_a_child_does_not_wait_for_a_thread_that_only_its_parent_has(base, script):
    assert script(FORKING, base).communicate(timeout=60)[0] == "0\n"


def test_what_guards_itself_begins_anew_in_a_child(store):
    journal = store._bars._journal
    before = journal._reading
    _reset()  # what is called after a fork: here it is what a child would have
    assert journal._reading is not before
