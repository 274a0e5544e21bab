"""Where runs are made: in this process, in another one, or on another machine."""

from __future__ import annotations

import os
import platform
import socket
import traceback
from importlib.metadata import version

from threadpoolctl import threadpool_limits

from ppl_control.runs.outcomes import Failed, Finished, Outcome
from ppl_control.runs.plan import Job
from ppl_control.runs.run import carry_out, log_evidence, measures
from ppl_control.threads import threads
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["Workshop", "versions"]


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that the numbers rest on."""
    packages = ("ppl-control", "torch", "pyro-ppl", "gymnasium", "numpy")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


class Workshop:
    """Makes runs one after the other, and knows the log evidence of the model at hand.

    Args:
        keep: hand the solutions out too, not their numbers alone.
        progress: show a progress bar for each fit.
    """

    def __init__(self, keep: bool = False, progress: bool = False) -> None:
        self._keep, self._progress = keep, progress
        self._model: TrajectoryModel | None = None
        self._evidence: tuple[float, float] | None = None
        self._name = f"{socket.gethostname()}, process {os.getpid()}"

    def make(self, job: Job) -> Outcome:
        """Make a run; what its own code raises is an outcome too."""
        try:
            with threads(job.threads), threadpool_limits(job.threads):  # torch's, and those of NumPy and SciPy
                run = carry_out(job, self._progress)
                found = measures(run, self._evidence_of(job.model.made))
        except Exception as error:
            line = " ".join(f"{type(error).__name__}: {error}".split())
            return Failed(line, self._name, traceback.format_exc(), error)
        return Finished(found, self._name, run if self._keep else None)

    def _evidence_of(self, model: TrajectoryModel) -> tuple[float, float] | None:
        if model is not self._model:
            self._evidence, self._model = log_evidence(model), model
        return self._evidence
