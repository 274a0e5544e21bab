"""Who makes which run, and what becomes of the runs of workers that are lost."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

from ppl_control.runs.crew import Crew
from ppl_control.runs.outcomes import CrewError, Ended, Failed, Gone, Outcome, Ready
from ppl_control.runs.plan import Job
from ppl_control.runs.workshop import versions

__all__ = ["Tally", "supervise"]

LISTEN = 1.0  # seconds between two looks at how large the crew may be
STILLBORN = 3  # workers in a row that die before their first word: none will do better


@dataclass(frozen=True)
class Tally:
    """How far the runs are.

    Attributes:
        workers: ready ones.
        running: runs that are being made.
        retried: runs that were given out again, each time counted.
        losses: workers that were lost with a run, in words.
    """

    workers: int = 0
    running: int = 0
    retried: int = 0
    losses: tuple[str, ...] = ()


def supervise(
    jobs: Sequence[Job], crew: Crew, *, attempts: int = 3, watch: Callable[[Tally], None] = lambda tally: None
) -> Generator[tuple[Job, Outcome, int], None, None]:
    """Have the jobs done, in whatever order; each comes out once.

    A run whose worker is lost goes to the end of the line, and is given up as failed when its last attempt has cost
    a worker too: it may be the run that kills them. What a run's own code raises is its outcome, and not tried again.

    Args:
        jobs: the runs to be made.
        crew: who makes them; closed at the end, also where the caller stops listening.
        attempts: how often a run is given out at most.
        watch: told how far things are.

    Yields:
        A job, its outcome, and how many attempts it took.

    Raises:
        CrewError: workers die before they are ready, work with other versions than this process, or cannot read
            what they are sent.
    """
    waiting, tried, tally = deque(jobs), Counter[Job](), Tally()
    starting, idle, at_work, stillborn = set[int](), list[int](), dict[int, Job](), 0
    try:
        while waiting or at_work:
            for _ in range(min(crew.size(), len(waiting) + len(at_work)) - len(starting) - len(idle) - len(at_work)):
                starting.add(crew.hire())
            while waiting and idle:
                worker, job = idle.pop(), waiting.popleft()
                tried[job] += 1
                at_work[worker] = job
                crew.give(worker, job)
            tally = replace(tally, workers=len(idle) + len(at_work), running=len(at_work))
            watch(tally)
            for report in crew.reports(LISTEN):
                worker = report.worker
                if isinstance(report, Ready):
                    _require_same(report.versions)
                    starting.remove(worker)
                    idle.append(worker)
                    stillborn = 0
                elif isinstance(report, Ended):
                    job = at_work.pop(worker)
                    idle.append(worker)
                    yield job, report.outcome, tried[job]
                elif worker in starting:
                    starting.remove(worker)
                    stillborn += 1
                    if stillborn == STILLBORN:
                        raise CrewError(_stillborn(report))
                elif worker in idle:
                    idle.remove(worker)
                else:
                    job = at_work.pop(worker)
                    tally = replace(tally, losses=(*tally.losses, f"lost: {job}: {report.reason}"))
                    if tried[job] < attempts:
                        tally = replace(tally, retried=tally.retried + 1)
                        waiting.append(job)
                    else:
                        yield job, _given_up(report, attempts), attempts
    finally:
        crew.close()


def _given_up(report: Gone, attempts: int) -> Failed:
    return Failed(f"given up after {attempts} attempts, each of which lost its worker: {report.reason}", given_up=True)


def _stillborn(report: Gone) -> str:
    return (
        f"workers die before they are ready: {report.reason}; in a script, put the call under "
        'if __name__ == "__main__":'
    )


def _require_same(theirs: dict[str, str]) -> None:
    ours = versions()
    for name in ours:
        if theirs.get(name) != ours[name]:
            raise CrewError(f"a worker has {name} {theirs.get(name)}, here it is {ours[name]}: not one table")
