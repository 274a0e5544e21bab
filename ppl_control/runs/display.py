"""How far the runs are, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from ppl_control.runs.conduct import Counts

__all__ = ["display"]


@contextmanager
def display(title: str, *, shown: bool) -> Iterator[Callable[[Counts], None]]:
    """Yield ``watch(counts)``: a bar of the runs that have ended, counts of all others, and a line for each loss.

    It appears with the first counts, so that what goes wrong before is told alone.
    """
    if not shown:
        yield lambda counts: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20, table_column=Column(no_wrap=True)),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[counts]}", table_column=Column()),  # which wraps where the terminal is narrow
    )
    bar = Progress(*columns, console=Console(stderr=True), refresh_per_second=4)
    task = bar.add_task(title, total=None, counts="")
    told = 0

    def watch(counts: Counts) -> None:
        nonlocal told
        bar.start()
        bar.update(task, total=counts.total, completed=counts.finished + counts.failed, counts=_in_words(counts))
        for loss in counts.tally.losses[told:]:
            bar.console.print(escape(loss), style="dim", soft_wrap=True, highlight=False)
        told = len(counts.tally.losses)

    try:
        yield watch
    finally:
        if bar.live.is_started:
            bar.stop()


def _in_words(counts: Counts) -> str:
    """What there is to say, and nothing that is 0.

    Example:
        >>> _in_words(Counts(total=64, kept=8, finished=20, failed=1))
        '20 finished, 1 failed, 8 kept, waiting for workers'
    """
    tally = counts.tally
    parts = [f"{counts.finished} finished"]
    told = (
        (counts.failed, "failed"),
        (counts.kept, "kept"),
        (tally.retried, "retried"),
        (tally.running, "running"),
    )
    parts += [f"{number} {words}" for number, words in told if number]
    if not tally.workers and counts.finished + counts.failed < counts.total:
        parts.append("waiting for workers")
    return ", ".join(parts)
