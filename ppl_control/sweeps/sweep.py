"""Methods × models × seeds × settings, kept on disk as they end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from ppl_control.comparison import ERROR, Comparison
from ppl_control.runs import (
    Failed,
    Job,
    Outcome,
    Plan,
    Results,
    conduct,
    crew_of,
    display,
    named_methods,
    named_models,
    tabulate,
    versions,
)
from ppl_control.settings import whole
from ppl_control.sweeps.grid import Grid, expand, source_of_method, source_of_models
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["sweep", "swept"]


def sweep(
    models: TrajectoryModel | Callable[..., TrajectoryModel] | Mapping[str, Any],
    methods: Mapping[str, Any],
    *,
    seeds: Sequence[int] = (0,),
    model_settings: Grid | None = None,
    method_settings: Grid | None = None,
    workers: int | None = 1,
    address: str | None = None,
    folder: str | Path | None = None,
    episodes: int = 1000,
    threads: int = 1,
    attempts: int = 3,
    progress: bool = True,
) -> Comparison:
    """Run every variant of every method on every variant of every model with every seed.

    A run that ended is on disk at once, in a file of its own; the same call goes on where an earlier one was stopped,
    also by SIGKILL, and makes no run twice. A run whose worker dies, or whose node is lost, is made again by another;
    one whose own code raises is not, and its error stands in the table. Remove its ``….failed.json`` to have it tried
    again.

    Args:
        models: a model or a function that makes one, or name → one of these.
        methods: name → method.
        seeds: seeds of fitting and evaluation.
        model_settings: setting → values. Functions take what they have parameters for, models ``horizon``,
            ``temperature``, ``discount`` and ``action_prior``; one that lacks a setting is run without it.
        method_settings: field of methods → values, in the same way.
        workers: how many runs are made at a time; None: as many as there are cores for. 1 here: in this process; more:
            in processes, and in a script with the usual ``if __name__ == "__main__":`` around the call.
        address: of a Ray cluster to make them on, as ``ray.init`` takes it (extra ``ray``); None: this machine. The
            nodes need the same packages, and no disk in common: this process writes all files.
        folder: where results are kept; None: nowhere.
        episodes: simulated episodes, where there are no tables.
        threads: how many threads a run may use, and how many cores of a cluster it takes.
        attempts: how often a run is given to a worker at most, where workers die; then it counts as failed.
        progress: show on standard error how far things are.

    Returns:
        A comparison whose table also has the settings (``model.…``, ``method.…``, empty where a row has no such
        setting) and ``error``, empty for runs that ended well. Rows stand in the order of the arguments, and all
        numbers but ``seconds`` are the same wherever the runs are made.

    Raises:
        ValueError: nothing to run, a setting that nobody has, a method that cannot serve a model, a file in
            ``folder`` that is not ours, no Ray, or no cluster; before any run.
        CrewError: the workers cannot work at all.
        KeyboardInterrupt: Ctrl-C; what has ended is kept.

    Example:
        >>> from ppl_control import SoftValueIteration, TabularMDP
        >>> coin = TrajectoryModel(TabularMDP([1.0], [[[1.0], [1.0]]], [[0.0, 1.0]]), horizon=1)
        >>> grid = {"temperature": [0.5, 1.0]}
        >>> table = sweep(coin, {"exact": SoftValueIteration()}, model_settings=grid, progress=False).table
        >>> table[["model.temperature", "bound"]].round(4).values.tolist()
        [[0.5, 2.1269], [1.0, 1.3133]]
    """
    named = named_models(models)
    of_models = [source_of_models(name, given) for name, given in named.items()]
    of_methods = [source_of_method(name, given) for name, given in named_methods(methods).items()]
    chosen = [v for variants in expand("method_settings", of_methods, method_settings or {}) for v in variants]
    found = [v for variants in expand("model_settings", of_models, model_settings or {}) for v in variants]
    plan = Plan([(variant, chosen) for variant in found], seeds, episodes, threads)
    return swept(plan, workers=workers, address=address, folder=folder, attempts=attempts, progress=progress)


def swept(
    plan: Plan,
    *,
    workers: int | None,
    address: str | None,
    folder: str | Path | None,
    attempts: int = 3,
    progress: bool = True,
) -> Comparison:
    """A plan carried out; see ``sweep``."""
    _require_different(plan)
    attempts = whole("attempts", attempts, 1)
    crew = crew_of(workers, address, plan.threads, keep=False)
    results = None if folder is None else Results(folder)
    found: dict[Job, Outcome] = {}
    try:
        with (
            display("sweep", shown=progress) as watch,
            closing(
                conduct(
                    plan,
                    crew,
                    results=results,
                    attempts=attempts,
                    watch=watch,
                )
            ) as ended,
        ):
            found.update(ended)
    except KeyboardInterrupt:
        kept = "nothing is kept" if results is None else f"kept in {results.folder}, where the same call goes on"
        raise KeyboardInterrupt(f"{len(found)} of {len(plan.jobs)} runs have ended; {kept}") from None
    table = tabulate(plan, found)
    outcomes = [found[job] for job in plan.jobs]
    table[ERROR] = [outcome.error if isinstance(outcome, Failed) else "" for outcome in outcomes]
    return Comparison(table, plan.described() | {"versions": versions()})


def _require_different(plan: Plan) -> None:
    """A row must be known by its names and its seed, and so must its file."""
    seen = set()
    for job in plan.jobs:
        key = job.model.label, job.method.label, job.seed
        if key in seen:
            raise ValueError(f"seeds, models, methods: {job} was given twice")
        seen.add(key)
