"""Law D4 between processes: all write unsorted batches of the same keys, and none fails."""

from __future__ import annotations

from datetime import date

import pytest

from storecore_postgres import PostgresDataStore

ALL = date.min, date.max
PROCESSES = 4
WRITER = """if True:
    import random, sys
    from datetime import datetime, timedelta
    import pyarrow as pa
    from storecore import Action, Decision, FundamentalData
    from storecore_postgres import PostgresDataStore

    dsn, schema, process, rounds, symbols = *sys.argv[1:3], *map(int, sys.argv[3:])
    day = datetime(2026, 1, 5)
    names = [f"S{number}" for number in range(symbols)]
    drawn = random.Random(process)
    hold = Decision("AAPL", Action.HOLD, 0, 0, "test")

    def bars(price):
        rows = [(name, day + timedelta(n)) for name in names for n in range(3)]
        drawn.shuffle(rows)
        columns = {"symbol": [name for name, _ in rows], "date": [date for _, date in rows]}
        prices = dict.fromkeys(("open", "high", "low", "close"), [price] * len(rows))
        return pa.table({**columns, **prices, "volume": [1.0] * len(rows)})

    def fundamentals(employees):
        drawn.shuffle(names)
        rest = {"company_name": "x", "cik": "1", "employees": employees, "raw_xml": ""}
        return [FundamentalData(symbol=name, timestamp=day, **rest) for name in names]

    with PostgresDataStore(dsn, schema=schema) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(rounds):
            store.write_bar_table(bars(process * 1000.0 + number))
            store.write_fundamentals(fundamentals(number))
            store.save_strategy_state("shared", {"process": process, "number": number})
            store.log_decision(f"{process}", hold)
            store.delete_bars("S0", day, day)
    print("done", flush=True)
"""


@pytest.mark.parametrize(
    ("rounds", "symbols"), [(6, 100), pytest.param(150, 1_000, marks=pytest.mark.soak)]
)
def test_d4_unsorted_batches_of_the_same_symbols_from_many_processes_all_finish(
    place, script, admin, rounds, symbols
):
    PostgresDataStore(**place).close()
    running = [
        script(WRITER, place["dsn"], place["schema"], process, rounds, symbols, traced=False)
        for process in range(PROCESSES)
    ]
    assert [process.stdout.readline() for process in running] == ["ready\n"] * PROCESSES
    for process in running:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.stdout.readline() for process in running] == ["done\n"] * PROCESSES
    with PostgresDataStore(**place) as store:
        table = store.read_bar_table([f"S{n}" for n in range(1, symbols)], *ALL).to_pydict()
        assert len(table["open"]) == 3 * (symbols - 1)
        assert len(set(table["open"])) == 1, "a batch was written in part"
        assert len(store.read_decisions(*ALL)) == PROCESSES * rounds
        assert store.load_versioned_state("shared").version == PROCESSES * rounds
        assert len(list(store.iter_fundamentals())) == symbols
        assert store.verify().ok


def test_d4_batches_that_are_copied_at_once_are_all_there(place, script):
    """The first of them into place, the others over it."""
    source = WRITER.replace("range(3)", "range(100)").replace("store.delete_bars", "len")
    source = source.replace('len("S0", day, day)', "None")
    running = [
        script(source, place["dsn"], place["schema"], process, 1, 60, traced=False)
        for process in range(2)
    ]
    assert [process.stdout.readline() for process in running] == ["ready\n"] * 2
    for process in running:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.stdout.readline() for process in running] == ["done\n"] * 2
    with PostgresDataStore(**place) as store:
        opens = store.read_bar_table([f"S{n}" for n in range(60)], *ALL)["open"]
        assert len(opens) == 6_000
        assert len(set(opens.to_pylist())) == 1
