"""`storecore state`: the saved state of a strategy, and the versions before it."""

from __future__ import annotations

import click
import msgspec

from storecore.cli.output import encoded, json_option, print_array, print_object
from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.cli.text import printable
from storecore.protocols import Catalog, DataStore, VersionedState
from storecore.reports import StateVersion
from storecore.store.questions import all_strategies
from storecore.values.suggestions import did_you_mean


@click.command(
    short_help="Show the saved state of a strategy.",
    epilog=examples("storecore state value", "storecore state value --history --json"),
)
@click.argument("strategy")
@click.option("--history", is_flag=True, help="Show all stored versions, the newest first.")
@json_option
@store_options
def state(choice: StoreChoice, strategy: str, history: bool, as_json: bool) -> None:
    """Show the state that STRATEGY has saved, with its version and the time of the save."""
    with choice.open_to_read() as store:
        found = _versions(store, strategy, choice, history)
        near = "" if found else _did_you_mean(store, strategy)
    if not found:
        raise click.ClickException(f"no saved state of {printable(strategy)!r}{near}")
    if as_json:
        print_array(found) if history else print_object(_fields(found[0]))
        return
    for each in found:
        click.echo(_heading(strategy, each))
        indented = msgspec.json.format(encoded(each.state), indent=2)
        click.echo("\n".join(map(printable, indented.split("\n"))))


def _versions(
    store: DataStore, strategy: str, choice: StoreChoice, history: bool
) -> list[StateVersion]:
    if isinstance(store, VersionedState):
        found = store.state_history(strategy) if history else [store.load_versioned_state(strategy)]
        return [each for each in found if each.version]
    if history:
        raise click.ClickException(
            f"the {choice.named} keeps no versions: it lacks the capability VersionedState"
        )
    saved = store.load_strategy_state(strategy)
    return [] if saved is None else [StateVersion(0, saved)]


def _fields(each: StateVersion) -> dict[str, object]:
    return {"version": each.version, "saved_at": each.saved_at, "state": each.state}


def _did_you_mean(store: DataStore, strategy: str) -> str:
    return did_you_mean(strategy, all_strategies(store)) if isinstance(store, Catalog) else ""


def _heading(strategy: str, each: StateVersion) -> str:
    version = f", version {each.version}" if each.version else ""
    saved = "" if each.saved_at is None else each.saved_at.replace(tzinfo=None).isoformat(" ")
    return f"{printable(strategy)}{version}{f', saved {saved} (UTC)' if saved else ''}"
