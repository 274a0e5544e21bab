"""Several methods on several models, side by side."""

from __future__ import annotations

import json
import math
import multiprocessing
import pickle
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ppl_control.evaluation import Evaluation, evaluate
from ppl_control.files import whole_file
from ppl_control.inference import MessagePassing, Solution, infer
from ppl_control.inference.base import ExactMethod, IterativeMethod
from ppl_control.intervals import over_seeds
from ppl_control.trajectory.model import TrajectoryModel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLUMNS", "Comparison", "Run", "compare", "versions"]

COLUMNS = ("model", "method", "seed", "bound", "bound_stderr", "gap", "believed", "believed_stderr",
           "executed", "executed_stderr", "optimism", "entropy", "temperature", "seconds")  # fmt: skip
SUMMARY = ("model", "method", "seed", "bound", "gap", "believed", "executed", "optimism", "temperature", "seconds")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that the numbers rest on."""
    packages = ("ppl-control", "torch", "pyro-ppl", "gymnasium", "numpy")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


@dataclass(frozen=True, eq=False)
class Run:
    """One method on one model with one seed."""

    model: str
    method: str
    seed: int
    solution: Solution
    evaluation: Evaluation
    seconds: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """A table of runs; shown as HTML in Jupyter.

    Attributes:
        table: one row a run. ``bound`` and ``gap`` = log Z − bound in nats, returns and ``optimism`` in reward
            units, standard errors 0 where exact; ``gap`` is empty where log Z is unknown or refers to another
            temperature; ``seconds`` for fitting.
        settings: what was run: methods, seeds and versions.
        runs: the solutions themselves; empty after ``load``.
    """

    table: pd.DataFrame
    settings: Mapping[str, Any]
    runs: tuple[Run, ...] = ()

    def intervals(self) -> pd.DataFrame:
        """Means over the seeds with half widths of their 95% intervals, one row a model and method."""
        return over_seeds(self.table)

    def plot(self) -> Figure:
        """Believed against executed return, one point a method with its intervals; the diagonal is honesty."""
        from ppl_control.plotting.honesty import plot_honesty

        return plot_honesty(self.intervals())

    def save(self, path: str | Path) -> None:
        """Write table, seeds and versions as JSON."""
        with whole_file(path, "w") as file:
            json.dump(self._written(_exactly), file, indent=1, allow_nan=False)

    @classmethod
    def load(cls, path: str | Path) -> Comparison:
        """Read what ``save`` wrote.

        Raises:
            ValueError: the file is no saved comparison.
        """
        try:
            kept = json.loads(Path(path).read_text(encoding="utf-8"))
            table = pd.DataFrame(kept["rows"], columns=list(COLUMNS))
            return cls(table.astype(dict.fromkeys(COLUMNS[3:], float)), kept["settings"])
        except FileNotFoundError:
            raise
        except (KeyError, TypeError, ValueError) as error:  # not JSON, not a table, not numbers
            raise ValueError(f"path: {path} is no saved comparison: {error!r}") from error

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers and strings; −∞ and missing as None."""
        return self._written(_plain)

    def _written(self, write: Callable[[Any], Any]) -> dict[str, Any]:
        rows = [{name: write(value) for name, value in row.items()} for row in self.table.to_dict(orient="records")]
        return {"rows": rows, "settings": dict(self.settings)}

    def summary(self) -> pd.DataFrame:
        """The table without its standard errors."""
        return self.table.loc[:, list(SUMMARY)]

    def _formatters(self) -> Any:
        return {name: lambda x: "" if pd.isna(x) else _shown(x) for name in SUMMARY[3:]}

    def _repr_html_(self) -> str:
        return self.summary().to_html(index=False, formatters=self._formatters(), na_rep="", border=0)

    def __repr__(self) -> str:
        return self.summary().to_string(index=False, formatters=self._formatters(), na_rep="")


def compare(
    models: TrajectoryModel | Mapping[str, TrajectoryModel],
    methods: Mapping[str, Any],
    *,
    seeds: Sequence[int] = (0,),
    workers: int = 1,
    episodes: int = 1000,
    progress: bool = False,
) -> Comparison:
    """Fit every method to every model with every seed and evaluate it there.

    Args:
        models: a model, or name → model.
        methods: name → method.
        seeds: seeds of fitting and evaluation.
        workers: processes; more than 1 needs models and methods that can be pickled and, in a script, the
            usual ``if __name__ == "__main__":`` around the call.
        episodes: simulated episodes, where there are no tables.
        progress: show a progress bar for each fit (one process only).

    Raises:
        ValueError: nothing to compare, or a method that cannot serve a model (before any fit).
    """
    named = models if isinstance(models, Mapping) else {"model": models}
    if not named or not methods or not len(seeds):
        raise ValueError("models, methods, seeds: expected at least one of each")
    if not all(hasattr(seed, "__index__") for seed in seeds):
        raise ValueError(f"seeds: expected integers, got {list(seeds)}")
    seeds = [int(seed) for seed in seeds]
    if isinstance(workers, bool) or not hasattr(workers, "__index__") or workers < 1:
        raise ValueError(f"workers: expected at least 1, got {workers!r}")
    for name, model in named.items():
        if not isinstance(model, TrajectoryModel):
            raise ValueError(f"models: {name!r} is {model!r}, no TrajectoryModel")
        for label, method in methods.items():
            if isinstance(method, type) or not isinstance(method, ExactMethod | IterativeMethod):
                raise ValueError(f"methods: {label!r} is {method!r}, no inference method")
            try:
                method.check(model)
            except ValueError as error:
                raise ValueError(f"method {label!r} on model {name!r}: {error}") from error
    jobs = [
        (name, model, label, method, seed, episodes, progress and workers == 1)
        for name, model in named.items()
        for label, method in methods.items()
        for seed in seeds
    ]
    if workers == 1:
        runs = [_run(job) for job in jobs]
    else:
        try:
            pickle.dumps(jobs)
        except Exception as error:
            raise ValueError(f"workers: models and methods must be picklable for {workers}: {error}") from error
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            runs = list(pool.map(_run, jobs))
    evidence = {name: _log_evidence(model) for name, model in named.items()}
    table = pd.DataFrame([_row(run, evidence[run.model]) for run in runs], columns=list(COLUMNS))
    settings = {
        "methods": {label: repr(method) for label, method in methods.items()},
        "models": {name: repr(model) for name, model in named.items()},
        "seeds": seeds,
        "episodes": episodes,
        "versions": versions(),
    }
    return Comparison(table, settings, tuple(runs))


def _run(job: tuple) -> Run:
    name, model, label, method, seed, episodes, progress = job
    start = time.perf_counter()
    solution = infer(model, method, seed=seed, progress=progress, title=f"{name}: {label}")
    seconds = time.perf_counter() - start
    return Run(name, label, seed, solution, evaluate(solution, model, episodes=episodes, seed=seed), seconds)


def _log_evidence(model: TrajectoryModel) -> tuple[float, float] | None:
    """Log Z and the temperature it belongs to; None where there is none to be had."""
    try:
        exact = infer(model, MessagePassing(), progress=False)
    except ValueError:
        return None  # no tables, or the posterior's fixed point diverges
    return exact.log_evidence_bound, exact.temperature


def _row(run: Run, evidence: tuple[float, float] | None) -> dict[str, Any]:
    solution, evaluation = run.solution, run.evaluation
    gap = math.nan
    if evidence is not None and evidence[1] == solution.temperature:
        gap = evidence[0] - solution.log_evidence_bound
    return {
        "model": run.model,
        "method": run.method,
        "seed": run.seed,
        "bound": solution.log_evidence_bound,
        "bound_stderr": solution.log_evidence_bound_stderr,
        "gap": gap,
        "believed": evaluation.believed_return,
        "believed_stderr": evaluation.believed_return_stderr,
        "executed": evaluation.executed_return,
        "executed_stderr": evaluation.executed_return_stderr,
        "optimism": evaluation.optimism,
        "entropy": evaluation.entropy,
        "temperature": solution.temperature,
        "seconds": run.seconds,
    }


def _exactly(value: Any) -> Any:
    """Infinite numbers as text, which JSON has no number for; missing ones as None."""
    if isinstance(value, float) and math.isinf(value):
        return str(value)
    return _plain(value)


def _shown(value: float) -> str:
    return f"{value:.4g}".replace("-inf", "−∞").replace("inf", "∞")


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
