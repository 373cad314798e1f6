"""LAWS.md: the law book as a page, with the tests of the kit that prove each law.

Write it anew after a change of the law book or of a test's name:

    python -m storecore.testing.lawpage > storecore/testing/LAWS.md

A test compares the page with what this prints.
"""

from __future__ import annotations

from collections.abc import Iterator

from storecore.protocols import CAPABILITIES
from storecore.testing.lawbook import BEYOND_THE_KIT, LAWS, Law, proves
from storecore.testing.suite import DataStoreSuite

HEADER = """\
# The laws

Every backend of storecore obeys these laws. The conformance kit, `storecore.testing`, proves each
of them with the tests that are listed below it. A test is named after the laws that it proves.
[BACKENDS.md](../plugins/BACKENDS.md) documents how to run the kit on a backend.

This page is generated from [lawbook.py](lawbook.py). Do not edit it; run

```text
python -m storecore.testing.lawpage > storecore/testing/LAWS.md
```

The first letter of a law says what it is about: **P** the protocol, **N** names, **T** times,
**B** bars, **F** fundamentals, **E** events, **S** states, **A** the audit log, **D** durability,
**K** knowledge, what was known when, **L** the life of a store.
"""
CAPABILITY_HEADER = """\
# Tests of the capabilities

A backend that declares a capability (law [P2](#p2)) is also tested by these.
"""


def page() -> str:
    """Return the text of LAWS.md."""
    tests = sorted(name for name in dir(DataStoreSuite) if name.startswith("test_"))
    subjects = {test: proves(test, frozenset(CAPABILITIES)) for test in tests}
    sections = [HEADER]
    for name, law in sorted((LAWS | BEYOND_THE_KIT).items(), key=_in_order):
        proofs = [test for test, proven in subjects.items() if name in proven]
        sections.append("\n".join(_law(name, law, proofs)))
    sections.append(CAPABILITY_HEADER)
    for name in CAPABILITIES:
        proofs = [test for test, proven in subjects.items() if name in proven]
        sections.append("\n".join([f"## {name}", "", *_listed(proofs)]))
    return "\n".join(sections)


def _in_order(item: tuple[str, Law]) -> tuple[int, str]:
    """Sort laws by the order of their letters in the law book, then by number."""
    letters = "".join(dict.fromkeys(name[0] for name in LAWS))
    return letters.index(item[0][0]), item[0]


def _law(name: str, law: Law, tests: list[str]) -> Iterator[str]:
    yield from (f"## {name}", "", law.says, "", f"*Why:* {law.why}", "")
    if name in BEYOND_THE_KIT:
        yield from ("The tests of each backend that keeps files prove this law, not the kit.", "")
    yield from _listed(tests)


def _listed(tests: list[str]) -> Iterator[str]:
    yield from (f"- `{test}`" for test in tests)
    if tests:
        yield ""


if __name__ == "__main__":
    print(page(), end="")
