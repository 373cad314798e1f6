"""Measures `import storecore` beside Python: `python tests/benchmarks/importing.py [ROUNDS]`."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 31
STATEMENTS = {
    "bare Python": "pass",
    "import storecore": "import storecore",
    "from storecore import PriceBar": "from storecore import PriceBar",
    "storecore.open_store('memory')": "import storecore; storecore.open_store('memory')",
}


def seconds(statement: str) -> float:
    """Return how long a whole Python process takes that runs a statement."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - begin


def main() -> None:
    """Run the statements in turn and print the median of each beside bare Python's."""
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    rounds = [{name: seconds(code) for name, code in STATEMENTS.items()} for _ in range(turns)]
    medians = {name: statistics.median(each[name] for each in rounds) for name in STATEMENTS}
    for name, median in medians.items():
        print(f"{name:32} {1e3 * median:6.1f} ms  {median / medians['bare Python']:.2f} x")


if __name__ == "__main__":
    main()
