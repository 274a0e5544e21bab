"""What a run is: a fit and its evaluation, as one row of a table."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

from ppl_control.evaluation import Evaluation, evaluate
from ppl_control.inference import MessagePassing, Solution, infer
from ppl_control.interruption import interruptible
from ppl_control.runs.plan import Job
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["MEASURES", "Run", "carry_out", "log_evidence", "measures"]

MEASURES = ("bound", "bound_stderr", "gap", "believed", "believed_stderr", "executed", "executed_stderr", "optimism",
            "entropy", "temperature", "seconds")  # fmt: skip


@dataclass(frozen=True, eq=False)
class Run:
    """One method on one model with one seed.

    Attributes:
        model: the model's name.
        method: the method's name.
        seed: of the fit and of the evaluation.
        solution: what was found.
        evaluation: in the model that it was fitted to.
        seconds: of the fit, compilation left out.
    """

    model: str
    method: str
    seed: int
    solution: Solution
    evaluation: Evaluation
    seconds: float


def carry_out(job: Job, progress: bool = False) -> Run:
    """Fit and evaluate.

    Raises:
        KeyboardInterrupt: Ctrl-C ended the fit before its end; half a fit is no run.
    """
    model, title = job.model.made, f"{job.model.label}: {job.method.label}"
    start = time.perf_counter()
    with interruptible() as interrupted:
        solution = infer(model, job.method.made, seed=job.seed, progress=progress, title=title)
    seconds = time.perf_counter() - start
    if interrupted() or not solution.finished:  # also in its last step: who pressed it wants no other run to begin
        raise KeyboardInterrupt
    evaluation = evaluate(solution, model, episodes=job.episodes, seed=job.seed)
    return Run(job.model.label, job.method.label, job.seed, solution, evaluation, seconds)


def log_evidence(model: TrajectoryModel) -> tuple[float, float] | None:
    """Log Z and the temperature it belongs to; None where there is none to be had."""
    try:
        exact = infer(model, MessagePassing(), progress=False)
    except ValueError:
        return None  # no tables, or the posterior's fixed point diverges
    return exact.log_evidence_bound, exact.temperature


def measures(run: Run, evidence: tuple[float, float] | None) -> dict[str, float]:
    """The numbers of a row, in the order of ``MEASURES``."""
    solution, evaluation = run.solution, run.evaluation
    gap = math.nan
    if evidence is not None and evidence[1] == solution.temperature:
        gap = evidence[0] - solution.log_evidence_bound
    found: tuple[Any, ...] = (
        solution.log_evidence_bound, solution.log_evidence_bound_stderr, gap,
        evaluation.believed_return, evaluation.believed_return_stderr,
        evaluation.executed_return, evaluation.executed_return_stderr,
        evaluation.optimism, evaluation.entropy, solution.temperature, run.seconds,
    )  # fmt: skip
    return {name: float(value) for name, value in zip(MEASURES, found, strict=True)}
