"""How a run may end, and what a worker may be heard of."""

from __future__ import annotations

from dataclasses import dataclass

from ppl_control.runs.run import Run

__all__ = ["CrewError", "Ended", "Failed", "Finished", "Gone", "Outcome", "Ready", "Report"]


class CrewError(RuntimeError):
    """Workers that cannot work: they do not start, cannot read what they are sent, or have other versions."""


@dataclass(frozen=True, eq=False)
class Finished:
    """A run that ended well.

    Attributes:
        measures: its numbers, see ``run.MEASURES``.
        worker: who made it, host and process.
        run: the solution itself, where it was asked for.
    """

    measures: dict[str, float]
    worker: str
    run: Run | None = None


@dataclass(frozen=True, eq=False)
class Failed:
    """A run whose own code raised, or which was given up.

    Attributes:
        error: in one line.
        worker: who made it, host and process.
        trace: where it was raised.
        exception: what was raised, where it can travel.
        given_up: its workers were lost each time, which says nothing of the run for sure.
    """

    error: str
    worker: str = ""
    trace: str = ""
    exception: Exception | None = None
    given_up: bool = False


Outcome = Finished | Failed


@dataclass(frozen=True)
class Ready:
    """A worker waits for its first job; the versions it works with."""

    worker: int
    versions: dict[str, str]


@dataclass(frozen=True, eq=False)
class Ended:
    """A worker has made its run, and waits for the next."""

    worker: int
    outcome: Outcome


@dataclass(frozen=True)
class Gone:
    """A worker is lost, and its run with it."""

    worker: int
    reason: str


Report = Ready | Ended | Gone
