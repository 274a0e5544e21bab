"""Who makes which run: with workers that do as they are told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from ppl_control import SoftValueIteration
from ppl_control.runs import CrewError, Failed, Finished, Job, Variant
from ppl_control.runs.outcomes import Ended, Gone, Ready, Report
from ppl_control.runs.supervision import STILLBORN, Tally, supervise
from ppl_control.runs.workshop import versions
from tests.runs.marked import walk


def jobs(n: int) -> list[Job]:
    model, method = Variant("walk", walk()), Variant("exact", SoftValueIteration())
    return [Job(model, method, seed, 100, 1) for seed in range(n)]


class Scripted:
    """Workers whose fate a script tells: (job, attempt) → whether it ends well."""

    def __init__(self, size: int, survives: Callable[[Job, int], bool] = lambda job, attempt: True) -> None:
        self._size, self._survives, self.hired, self.given, self.closed = size, survives, 0, Counter[Job](), False
        self.order: list[int] = []
        self.news: list[Report] = []
        self.most = 0
        self.busy: set[int] = set()
        self.living: set[int] = set()

    def size(self) -> int:
        return self._size

    def hire(self) -> int:
        self.hired += 1
        self.living.add(self.hired)
        self.most = max(self.most, len(self.living))
        self.news.append(Ready(self.hired, versions()))
        return self.hired

    def give(self, worker: int, job: Job) -> None:
        assert worker in self.living - self.busy
        self.busy.add(worker)
        self.given[job] += 1
        self.order.append(job.seed)
        if self._survives(job, self.given[job]):
            self.news.append(Ended(worker, Finished({}, "here")))
        else:
            self.news.append(Gone(worker, "struck by lightning"))

    def reports(self, seconds: float) -> Sequence[Report]:
        report = self.news.pop(0)
        self.busy.discard(report.worker)
        if isinstance(report, Gone):
            self.living.discard(report.worker)
        return [report]

    def close(self) -> None:
        self.closed = True


def test_each_job_comes_out_once_and_no_more_workers_are_hired_than_jobs():
    for size in (1, 3, 9):
        crew, todo = Scripted(size), jobs(5)
        found = list(supervise(todo, crew))
        assert sorted(job.seed for job, _, _ in found) == list(range(5))
        assert all(isinstance(outcome, Finished) and tries == 1 for _, outcome, tries in found)
        assert crew.most == min(size, 5) == crew.hired
        assert crew.closed


def test_a_lost_run_goes_to_the_end_of_the_line():
    crew, seen = Scripted(1, lambda job, attempt: job.seed != 0 or attempt == 2), []
    found = {job.seed: tries for job, _, tries in supervise(jobs(3), crew, watch=seen.append)}
    assert crew.order == [0, 1, 2, 0]
    assert found == {0: 2, 1: 1, 2: 1}
    assert crew.hired == 2
    last: Tally = seen[-1]
    assert (last.retried, last.losses) == (1, ("lost: exact on walk, seed 0: struck by lightning",))


def test_a_run_that_costs_every_worker_is_given_up():
    crew = Scripted(2, lambda job, attempt: job.seed != 1)
    found = {job.seed: outcome for job, outcome, _ in supervise(jobs(4), crew, attempts=3)}
    assert [isinstance(found[seed], Failed) for seed in range(4)] == [False, True, False, False]
    assert found[1].given_up
    assert "3 attempts" in found[1].error
    assert "struck by lightning" in found[1].error
    assert crew.given == Counter({job: 3 if job.seed == 1 else 1 for job in crew.given})


def test_an_idle_worker_that_dies_costs_nothing():
    crew = Scripted(2)
    supervised = supervise(jobs(2), crew)
    next(supervised)
    (idle,) = crew.living - crew.busy
    crew.news.insert(0, Gone(idle, "bored"))
    (last,) = supervised
    assert last[2] == 1
    assert crew.hired == 2


def test_workers_that_never_begin():
    class Stillborn(Scripted):
        def hire(self) -> int:
            self.hired += 1
            self.news.append(Gone(self.hired, "exit code 1"))
            return self.hired

    crew = Stillborn(1)
    with pytest.raises(CrewError, match=r"before they are ready: exit code 1; .*__main__"):
        list(supervise(jobs(2), crew))
    assert crew.hired == STILLBORN
    assert crew.closed


def test_workers_with_other_versions():
    class Older(Scripted):
        def reports(self, seconds: float) -> Sequence[Report]:
            return [Ready(report.worker, versions() | {"torch": "2.4.0"}) for report in super().reports(seconds)]

    with pytest.raises(CrewError, match=r"a worker has torch 2\.4\.0, here it is"):
        list(supervise(jobs(1), Older(1)))


def test_who_stops_listening_sends_the_workers_home():
    crew = Scripted(2)
    supervised = supervise(jobs(4), crew)
    next(supervised)
    supervised.close()
    assert crew.closed
