"""Step after step, with a progress bar, callbacks, a checkpoint, and Ctrl-C between two of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ppl_control.inference.checkpoint import Keeper
from ppl_control.inference.progress import progress_bar
from ppl_control.interruption import interruptible

__all__ = ["Step", "drive"]


@dataclass(frozen=True)
class Step:
    """What a callback is given.

    Attributes:
        number: of the step, from 1.
        metrics: name → value of this step.
        state: the method's own, after the step.
    """

    number: int
    metrics: Mapping[str, float]
    state: Any


def drive(
    state: Any,
    step: Callable[[], Mapping[str, float] | None],
    finished: Callable[[], bool],
    *,
    title: str,
    total: int | None,
    progress: bool,
    note: str = "",
    shown: Sequence[str] | None = None,
    callbacks: Sequence[Callable[[Step], object]] = (),
    keeper: Keeper | None = None,
) -> None:
    """Make steps until the fit is finished, or until a callback or Ctrl-C ends it; at least one, if any is wanted.

    Args:
        state: with a ``number`` of steps made; changed by ``step``.
        step: advances it and returns its metrics, or None after a part of a step that is not to be told of.
        finished: whether no further step is wanted.
        title: of the progress bar.
        total: the last step's number, as the bar shows it; None: not known.
        progress: whether to show it.
        note: shown until the first step is made.
        shown: the metrics in the bar; None: all.
        callbacks: called after each step that has metrics; one that returns True ends the fit.
        keeper: of the checkpoint; it is written when it is due, and where the fit ends.
    """
    with (
        interruptible() as interrupted,
        progress_bar(title, total, shown=progress, note=note, ending=interrupted) as advance,
    ):
        advance(state.number, {})
        ended = False
        while not (ended or finished()):
            metrics = step()
            if metrics is not None:
                advance(state.number, {n: v for n, v in metrics.items() if shown is None or n in shown})
                ended = any([bool(callback(Step(state.number, metrics, state))) for callback in callbacks])
            ended = ended or interrupted()
            if keeper is not None and (keeper.due() or ended or finished()):
                keeper.store()
