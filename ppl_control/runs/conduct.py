"""All runs of a plan: those that are kept are read, the others made."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field, replace

from ppl_control.runs.cluster import RayCluster
from ppl_control.runs.crew import Alone, Crew
from ppl_control.runs.outcomes import Failed, Outcome
from ppl_control.runs.plan import Job, Plan
from ppl_control.runs.processes import Processes
from ppl_control.runs.results import Results
from ppl_control.runs.supervision import Tally, supervise
from ppl_control.settings import shown, whole

__all__ = ["Counts", "conduct", "crew_of"]


@dataclass(frozen=True)
class Counts:
    """How far the runs of a plan are.

    Attributes:
        total: all of them.
        kept: were there before.
        finished: ended well, those that were kept among them.
        failed: raised or were given up.
        tally: of the workers.
    """

    total: int
    kept: int
    finished: int = 0
    failed: int = 0
    tally: Tally = field(default_factory=Tally)

    def after(self, outcome: Outcome) -> Counts:
        """One run further."""
        if isinstance(outcome, Failed):
            return replace(self, failed=self.failed + 1)
        return replace(self, finished=self.finished + 1)


def crew_of(
    workers: int | None, address: str | None, threads: int, *, keep: bool, progress: bool = False
) -> Callable[[], Crew]:
    """Who will make the runs: actors on a cluster, processes, or this process itself.

    Args:
        workers: how many; None: as many as there are cores for, here or on the cluster at any time.
        address: of a Ray cluster; None: this machine, without Ray.
        threads: cores that a worker takes on a cluster.
        keep: hand the solutions out too.
        progress: show a progress bar for each fit, where they are made in this process.

    Raises:
        ValueError: no whole number of workers, or no address; when they are called, no Ray or no cluster.
    """
    number = None if workers is None else whole("workers", workers, 1)
    if address is not None:
        if not isinstance(address, str) or not address:
            raise ValueError(f"address: expected that of a Ray cluster, e.g. 'auto', got {shown(address)}")
        return lambda: RayCluster(address, number, threads, keep)
    here = max(1, (os.cpu_count() or 1) // threads) if number is None else number
    return lambda: Alone(keep, progress) if here == 1 else Processes(here, keep)


def conduct(
    plan: Plan,
    crew: Callable[[], Crew],
    *,
    results: Results | None = None,
    attempts: int = 3,
    watch: Callable[[Counts], None] = lambda counts: None,
) -> Generator[tuple[Job, Outcome], None, None]:
    """The runs of a plan: those that are kept, then the others as they end.

    Args:
        plan: what is to be run.
        crew: assembles those who make the runs; called if there is any to make.
        results: where runs are kept as soon as they end; None: nowhere.
        attempts: how often a run is given out at most, see ``supervise``.
        watch: told how far things are.

    Yields:
        A job, and how it ended.

    Raises:
        ValueError: a file among the results is not ours; before any run.
        CrewError: the workers cannot work, see ``supervise``.
    """
    jobs = plan.jobs
    found = {} if results is None else {job: kept for job in jobs if (kept := results.find(job)) is not None}
    counts = Counts(total=len(jobs), kept=len(found))
    for job, outcome in found.items():
        counts = counts.after(outcome)
        yield job, outcome

    def tell(tally: Tally) -> None:
        nonlocal counts
        counts = replace(counts, tally=tally)
        watch(counts)

    missing = [job for job in jobs if job not in found]
    if missing:
        with closing(supervise(missing, crew(), attempts=attempts, watch=tell)) as ended:
            for job, outcome, tries in ended:
                if results is not None:
                    results.keep(job, outcome, tries)
                counts = counts.after(outcome)
                yield job, outcome
    tell(replace(counts.tally, running=0))
