"""Jobs and outcomes as bytes, on one bench and back."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

import pytest

from ppl_control import SVI, SoftValueIteration, TrajectoryModel, compare
from ppl_control.runs import CrewError, Failed, Finished, Job, Outcome, Variant
from ppl_control.runs.shipping import Bench, Shipper, opened
from ppl_control.runs.workshop import Workshop
from tests.problems import random_problem
from tests.runs.marked import walk
from tests.trajectory.test_from_program import as_program


def job(model: TrajectoryModel, method: Any, seed: int = 0) -> Job:
    return Job(Variant("model", model), Variant("method", method), seed, 50, 1)


def sent(*jobs: Job, keep: bool = False) -> list[Outcome]:
    shipper, bench = Shipper(), Bench(keep)
    return [opened(bench.make(*shipper.pack(0, one))) for one in jobs]


def test_the_same_numbers_as_without_the_journey():
    one = job(walk(), SVI(steps=3, estimator="score", particles=8), seed=5)
    (found,), here = sent(one), Workshop().make(one)
    assert isinstance(found, Finished)
    assert isinstance(here, Finished)
    assert found.run is None
    assert found.measures | {"seconds": 0.0} == here.measures | {"seconds": 0.0}


def test_a_model_is_sent_once_to_each_worker_as_long_as_it_is_the_same():
    shipper, first, second = Shipper(), Variant("a", walk()), Variant("b", walk(1.0))
    method = Variant("exact", SoftValueIteration())

    def sends(worker: int, model: Variant) -> bool:
        return shipper.pack(worker, Job(model, method, 0, 50, 1))[1] is not None

    assert [sends(0, first), sends(0, first), sends(1, first), sends(0, second), sends(0, first)] == [
        True, False, True, True, True,
    ]  # fmt: skip


def test_the_evidence_is_that_of_the_model_at_hand():
    models = walk(), walk(1.0), walk()
    gaps = [outcome.measures["gap"] for outcome in sent(*(job(m, SoftValueIteration()) for m in models))]  # type: ignore[union-attr]
    assert gaps[0] == gaps[2] != gaps[1]
    assert gaps[1] == compare(models[1], {"exact": SoftValueIteration()}).table.gap[0]


def test_programs_and_solutions_travel():
    program = as_program(random_problem(8, prior="uniform", shared=False, ends=False))  # closures, not importable
    (found,) = sent(job(program, SVI(steps=2)), keep=True)
    assert isinstance(found, Finished)
    assert found.run is not None
    assert found.run.solution.log_evidence_bound == found.measures["bound"]
    assert len(found.run.solution.sample(3).actions) == 3


class TwoWords(Exception):
    """Keeps other arguments than it takes, so that pickle cannot make it anew."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one}\n{two}")


@dataclass(frozen=True)
class Raising(SoftValueIteration):
    error: Any = None

    def solve(self, model: TrajectoryModel) -> Any:
        raise self.error()


def two_words() -> TwoWords:
    return TwoWords("one", "two")


@pytest.mark.parametrize(("error", "exception"), [(KeyError, KeyError), (two_words, None), (MemoryError, MemoryError)])
def test_errors_travel_in_words_and_as_they_are_where_they_can(error: Any, exception: Any):
    (found,) = sent(job(walk(), Raising(error=error)))
    assert isinstance(found, Failed)
    assert not found.given_up
    assert found.error == {"KeyError": "KeyError:", "two_words": "TwoWords: one two"}.get(
        error.__name__, "MemoryError:"
    )
    assert "raise self.error()" in found.trace
    assert type(found.exception) is (exception or type(None))


def test_what_cannot_travel_is_named():
    with pytest.raises(ValueError, match="workers: models and methods must be picklable"):
        Shipper().pack(0, job(walk(), Raising(error=(word for word in "no"))))


def test_what_cannot_be_read_there_is_the_sender_s_trouble():
    packed, model = Shipper().pack(0, job(walk(), SoftValueIteration()))
    unknown = pickle.dumps(two_words).replace(b"two_words", b"too_words")
    for parcel in ((unknown, model), (packed, unknown)):
        with pytest.raises(CrewError, match=r"cannot read what it is sent.*too_words"):
            opened(Bench(False).make(*parcel))
