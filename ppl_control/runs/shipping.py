"""Jobs on their way to workers, and outcomes on their way back, as bytes."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import cloudpickle

from ppl_control.runs.outcomes import CrewError, Failed, Outcome
from ppl_control.runs.plan import Job, Variant
from ppl_control.runs.workshop import Workshop, versions

__all__ = ["Bench", "Shipper", "opened"]

Parcel = tuple[bytes, bytes | None]  # a job without its model, and the model where the worker does not have it


class Shipper:
    """The sending side: a model goes to a worker once, not with each of its jobs."""

    def __init__(self) -> None:
        self._at: dict[int, Variant] = {}  # worker → the model it has

    def pack(self, worker: int, job: Job) -> Parcel:
        """A job for a worker."""
        sent = self._at.get(worker) is job.model
        self._at[worker] = job.model
        return _dumped(replace(job, model=replace(job.model, made=None))), None if sent else _dumped(job.model.made)


class Bench:
    """The receiving side: a workshop that is fed with bytes. On a Ray cluster, an actor.

    Args:
        keep: hand the solutions out too.
    """

    def __init__(self, keep: bool) -> None:
        self._workshop, self._model = Workshop(keep), None

    def versions(self) -> dict[str, str]:
        """What it works with."""
        return versions()

    def make(self, packed: bytes, model: bytes | None) -> bytes:
        """Make a run; returns an ``Outcome``, or why the job could not be read here, as bytes."""
        try:
            if model is not None:
                self._model = pickle.loads(model)
            job: Job = pickle.loads(packed)
        except Exception as error:
            return cloudpickle.dumps(f"{type(error).__name__}: {error}")
        return _outcome_as_bytes(self._workshop.make(replace(job, model=replace(job.model, made=self._model))))


def opened(answer: bytes) -> Outcome:
    """What a bench answered.

    Raises:
        CrewError: it could not read the job.
    """
    found = pickle.loads(answer)
    if isinstance(found, str):
        raise CrewError(f"a worker cannot read what it is sent, is all of it installed there? {found}")
    return found


def _dumped(part: Any) -> bytes:
    try:
        return cloudpickle.dumps(part)  # functions of scripts and notebooks travel too
    except Exception as error:
        raise ValueError(f"workers: models and methods must be picklable to reach other processes: {error}") from error


def _outcome_as_bytes(outcome: Outcome) -> bytes:
    try:
        sent = cloudpickle.dumps(outcome)
        if isinstance(outcome, Failed):
            pickle.loads(sent)  # exceptions that take other arguments than they keep cannot be read
        return sent
    except Exception as error:
        if isinstance(outcome, Failed):
            return cloudpickle.dumps(replace(outcome, exception=None))
        return cloudpickle.dumps(Failed(f"its solution cannot be pickled: {error}", outcome.worker))
