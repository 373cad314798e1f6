"""`storecore checkpoint`: what a store holds now, as one small document to be kept elsewhere."""

from __future__ import annotations

from pathlib import Path

import click

from storecore.checkpoints import Checkpoint, checkpoint
from storecore.cli.choosing import StoreChoice, examples, store_options
from storecore.cli.wording import counted, printable


@click.command(
    "checkpoint",
    short_help="Write down what a store holds, to verify it against later.",
    epilog=examples(
        "storecore checkpoint -o /mnt/elsewhere/2026-01-06.json",
        "storecore verify --against /mnt/elsewhere/2026-01-06.json",
    ),
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Where to write it; a file that is there is replaced [default: stdout].",
)
@store_options
def take(choice: StoreChoice, output: Path | None) -> None:
    """Write a digest for each series, symbol, day of events, state and audit log of a store.

    Keep the document where those who write to the store cannot write. `storecore verify --against`
    finds by name what was there and is gone. Take it after `storecore verify`, and again after bars
    were deleted on purpose. The exit status is 1 if something cannot be read: of a damaged store
    nothing is written.
    """
    with choice.open_to_read() as store:
        taken = checkpoint(store)
    if not any((taken.bars, taken.fundamentals, taken.events, taken.states, taken.audit)):
        # As likely misspelt: an empty checkpoint would hold for any store.
        raise click.ClickException(f"{choice.named} holds nothing; is it the store you mean?")
    if output is None:
        click.echo(taken.encoded(), nl=False)
    else:
        taken.save(output)
        click.echo(f"{_summary(taken)}: written to {printable(str(output))}")


def _summary(taken: Checkpoint) -> str:
    return ", ".join(
        (
            counted(len(taken.bars), "series"),
            f"fundamentals of {counted(len(taken.fundamentals), 'symbol')}",
            f"events of {counted(len(taken.events), 'day')}",
            counted(len(taken.states), "state"),
            counted(len(taken.audit), "audit log"),
        )
    )
