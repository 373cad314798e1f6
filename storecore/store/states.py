"""The methods of a store about states: they check and encode them, and call the collection of them.

They need no other collection.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from storecore.errors import InvalidData
from storecore.reports import StateVersion
from storecore.states import checked_versions, listed_strategies
from storecore.store.collections import StateCollection
from storecore.store.methods import Methods, offered
from storecore.values.documents import encode_document
from storecore.values.names import checked_prefix


class StateMethods(Methods):
    """The methods of a store about the states of strategies."""

    _states: StateCollection

    def save_strategy_state(
        self, strategy_name: str, state: dict[str, Any], *, expect: int | None = None
    ) -> None:
        """Replace the state of a strategy; with `expect`, only if that version is stored (0: none).

        Raises `NotSerializable` if JSON would change the state, `StateConflict` if another version
        is stored. In both cases the stored state does not change.
        """
        strategy_name = self._name(strategy_name, "strategy_name")
        document = encode_document(state, "state")
        if expect is not None and not hasattr(self._states, "history"):
            raise InvalidData(
                f"expect={expect!r}: {type(self).__name__} keeps no versions of a state; save "
                "without expect"
            )
        self._states.save(strategy_name, document, expect)

    def load_strategy_state(self, strategy_name: str) -> dict[str, Any] | None:
        """Return a copy of the state that was last saved; None if there is none."""
        return self._states.load(self._name(strategy_name, "strategy_name"))

    @offered("states.delete")
    def delete_strategy_state(self, strategy_name: str, *, expect: int | None = None) -> bool:
        """Remove the state of a strategy and its history; return whether there was one.

        Then the version is 0; a later save has the number after the last one. With `expect`, remove
        it only if that version is stored; otherwise raise `StateConflict`.
        """
        return self._states.delete(self._name(strategy_name, "strategy_name"), expect)

    @offered("states.history")
    def load_versioned_state(self, strategy_name: str) -> StateVersion:
        """Return the state that was last saved and its version; version 0 if there is none."""
        return self._states.version(self._name(strategy_name, "strategy_name"))

    @offered("states.history")
    def state_history(self, strategy_name: str) -> list[StateVersion]:
        """Return the stored versions of a state, newest first."""
        return self._states.history(self._name(strategy_name, "strategy_name"))

    @offered("states.restore")
    def restore_state(
        self, strategy_name: str, versions: Iterable[StateVersion], *, expect: int | None
    ) -> None:
        """Replace a state and its history with versions of another store, newest first.

        Raises `StateConflict` if the stored version is not `expect` (0: none, None: any).
        """
        strategy_name = self._name(strategy_name, "strategy_name")
        checked = checked_versions(versions, self._states.kept_versions)
        self._states.restore(strategy_name, checked, expect)

    @offered("states.strategies")
    def strategies(self, prefix: str = "") -> list[str]:
        """Return the strategies that have a saved state and whose names begin with `prefix`.

        States of runs (`storecore.knowledge.runs`) are listed only if `prefix` begins as they do.
        """
        self._check_open()
        begins = checked_prefix(prefix)
        return sorted(listed_strategies(self._states.strategies(), begins))
