"""A progress bar on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["progress_bar"]

Advance = Callable[[int, Mapping[str, float]], None]


@contextmanager
def progress_bar(title: str, steps: int, *, shown: bool) -> Iterator[Advance]:
    """Yield ``advance(step, metrics)``; the bar shows steps, time and the latest metrics."""
    if not shown:
        yield lambda step, metrics: None
        return
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[metrics]}"),
    )
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=8) as bar:
        task = bar.add_task(title, total=steps, metrics="")
        last = 0

        def advance(step: int, metrics: Mapping[str, float]) -> None:
            nonlocal last
            last = step
            text = "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())
            bar.update(task, completed=step, metrics=text)

        yield advance
        bar.update(task, total=max(last, 1))  # a run that converged early ends full
