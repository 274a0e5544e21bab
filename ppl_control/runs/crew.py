"""Those who make the runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ppl_control.runs.outcomes import Ended, Ready, Report
from ppl_control.runs.plan import Job
from ppl_control.runs.workshop import Workshop, versions

__all__ = ["Alone", "Crew"]


class Crew(Protocol):
    """Workers, known by numbers; each makes one run at a time."""

    def size(self) -> int:
        """How many workers there may be at this time."""
        ...

    def hire(self) -> int:
        """Start a worker; it reports when it is ready."""
        ...

    def give(self, worker: int, job: Job) -> None:
        """Give a job to a worker that waits for one."""

    def reports(self, seconds: float) -> Sequence[Report]:
        """What has happened; waits so long for it at most."""
        ...

    def close(self) -> None:
        """Send all home at once, whatever they do."""


class Alone:
    """This process itself: it cannot be lost, and nothing needs to travel.

    Args:
        keep: hand the solutions out too.
        progress: show a progress bar for each fit.
    """

    def __init__(self, keep: bool = False, progress: bool = False) -> None:
        self._workshop = Workshop(keep, progress)
        self._reports: list[Report] = []
        self._job: Job | None = None

    def size(self) -> int:
        """One."""
        return 1

    def hire(self) -> int:
        """Nothing to start."""
        self._reports.append(Ready(0, versions()))
        return 0

    def give(self, worker: int, job: Job) -> None:
        """The job to be made at the next call of ``reports``."""
        self._job = job

    def reports(self, seconds: float) -> Sequence[Report]:
        """Make the job at hand, however long it takes."""
        if self._job is not None:
            job, self._job = self._job, None
            self._reports.append(Ended(0, self._workshop.make(job)))
        found, self._reports = self._reports, []
        return found

    def close(self) -> None:
        """Nothing to stop."""
