"""What ``infer`` asks of a method: two contracts, of which nothing is inherited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ppl_control.trajectory.model import TrajectoryModel

if TYPE_CHECKING:
    from ppl_control.inference.base import Solution

__all__ = ["ExactMethod", "IterativeMethod", "SearchingMethod", "missing"]

AT_ONCE, IN_STEPS = ("check", "solve"), ("steps", "check", "init", "step", "finished", "solution")


@runtime_checkable
class ExactMethod(Protocol):
    """A method that answers at once; nothing is inherited, ``infer`` looks at what is there.

    One of your own is a frozen dataclass of settings, checked when it is made.
    """

    def check(self, model: TrajectoryModel) -> None:
        """Raise a ValueError where the method cannot serve the model, before any work.

        Args:
            model: the decision problem.
        """

    def solve(self, model: TrajectoryModel) -> Solution:
        """The answer.

        Args:
            model: one that ``check`` let pass.
        """
        ...


@runtime_checkable
class SearchingMethod(Protocol):
    """An exact method that may take long: what it searches with can be watched, and ended before its time."""

    def search(self, model: TrajectoryModel) -> Any:
        """Something with ``number``, ``step()`` and ``finished()``; None where ``solve`` answers at once."""

    def answer(self, model: TrajectoryModel, search: Any) -> Solution:
        """The answer that a search has come to."""
        ...


@runtime_checkable
class IterativeMethod(Protocol):
    """A method in steps; the state may be kept, stored and taken up again between any two of them.

    Nothing is inherited, ``infer`` looks at what is there. One of your own is a frozen dataclass of settings, so that a
    checkpoint knows which run it belongs to.
    """

    @property
    def steps(self) -> int | None:
        """How many steps at most; None: ``number_of_steps(model)`` says so, or there is no such number."""
        ...

    def check(self, model: TrajectoryModel) -> None:
        """Raise a ValueError where the method cannot serve the model, before any work.

        Args:
            model: the decision problem.
        """

    def init(self, model: TrajectoryModel, seed: int = 0) -> Any:
        """The state before the first step.

        Its ``number`` counts the steps made. Checkpoints need ``state_dict()`` and ``load_state_dict(saved)``, of
        tensors, numbers, text, lists and dicts; ``close()``, if there is one, is called at the end.

        Args:
            model: one that ``check`` let pass.
            seed: of every random stream, which is the state's own: torch's global one is left alone.
        """

    def step(self, model: TrajectoryModel, state: Any) -> dict[str, float]:
        """Advance the state by one step, and count it.

        Args:
            model: as for ``init``.
            state: what ``init`` made; it is changed in place.

        Returns:
            Metrics by name, for the progress bar and for callbacks; numbers or −∞, all others end the run.
        """
        ...

    def finished(self, state: Any) -> bool:
        """Whether no further step is wanted.

        Args:
            state: after any number of steps.
        """
        ...

    def solution(self, model: TrajectoryModel, state: Any) -> Solution:
        """The solution that the state stands for.

        Args:
            model: as for ``init``.
            state: after any number of steps; it is left as it is.
        """
        ...


def missing(method: object) -> str:
    """What something that has a part of a method, but is none, lacks."""
    if isinstance(method, type):
        return ""
    parts = AT_ONCE if hasattr(method, "solve") else IN_STEPS
    lacking = [name for name in parts if not hasattr(method, name)]
    return f", which lacks {', '.join(lacking)}" if len(lacking) < len(parts) else ""
