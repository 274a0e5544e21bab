"""A progress bar on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

__all__ = ["progress_bar"]

Advance = Callable[[int, Mapping[str, float]], None]


@contextmanager
def progress_bar(
    title: str, steps: int | None, *, shown: bool, note: str = "", ending: Callable[[], bool] = lambda: False
) -> Iterator[Advance]:
    """Yield ``advance(step, metrics)``; the bar shows steps, time, the latest metrics and steps a second.

    ``note`` is shown until the first step is made; from when ``ending()`` is true, the bar says that the step in
    flight is the last.
    """
    if not shown:
        yield lambda step, metrics: None
        return
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[metrics]}"),
        _Ending(ending),
    )
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=8) as bar:
        task = bar.add_task(title, total=steps, metrics="")
        last, begun, since, calls = 0, 0, 0.0, 0

        def advance(step: int, metrics: Mapping[str, float]) -> None:
            nonlocal last, begun, since, calls
            last, calls = step, calls + 1
            text = "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())
            if calls == 1:
                text = note
            elif calls == 2:  # the first step may have waited for a compiler
                begun, since = step, time.monotonic()
            elif time.monotonic() > since:
                text += f"  {(step - begun) / (time.monotonic() - since):.0f}/s"
            bar.update(task, completed=step, metrics=text)

        yield advance
        if not ending():
            bar.update(task, total=max(last, 1))  # a run that converged early ends full


class _Ending(ProgressColumn):
    """Says that Ctrl-C was heard, also while a long step keeps the main thread: the bar is drawn by another."""

    max_refresh = 0.2

    def __init__(self, ending: Callable[[], bool]) -> None:
        super().__init__()
        self._ending = ending

    def render(self, task: Task) -> Text:
        return Text("ends after this step; Ctrl-C again aborts" if self._ending() else "")
