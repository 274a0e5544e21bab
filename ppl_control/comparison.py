"""Several methods on several models, side by side."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ppl_control.files import open_regular, whole_file
from ppl_control.intervals import over_seeds
from ppl_control.runs import (
    COLUMNS,
    MEASURES,
    Failed,
    Finished,
    Job,
    Plan,
    Run,
    Variant,
    conduct,
    crew_of,
    named_methods,
    named_models,
    tabulate,
    versions,
)
from ppl_control.trajectory.model import TrajectoryModel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLUMNS", "ERROR", "Comparison", "Run", "compare", "versions"]

ERROR = "error"
"""The column of a sweep that says why a run failed."""

SUMMARY = ("bound", "gap", "believed", "executed", "optimism", "temperature", "seconds")


@dataclass(frozen=True, eq=False)
class Comparison:
    """A table of runs; shown as HTML in Jupyter.

    Attributes:
        table: one row a run. ``bound`` and ``gap`` = log Z − bound in nats, returns and ``optimism`` in reward
            units, standard errors 0 where exact; ``gap`` is empty where log Z is unknown or refers to another
            temperature; ``seconds`` for fitting. A sweep's table also has its settings, and in ``error`` why a run
            failed, whose numbers are empty then.
        settings: what was run: methods, seeds and versions.
        runs: the solutions themselves; empty after ``load``.
    """

    table: pd.DataFrame
    settings: Mapping[str, Any]
    runs: tuple[Run, ...] = ()

    def intervals(self) -> pd.DataFrame:
        """Means over the seeds with half widths of their 95% intervals, one row a model and method."""
        return over_seeds(self.table.loc[self.table[ERROR] == ""] if ERROR in self.table else self.table)

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

        Args:
            path: of the file.

        Raises:
            ValueError: the file is no saved comparison.
            FileNotFoundError: there is none.
        """
        try:
            with open_regular(path) as file:
                kept = json.load(file)
            if not isinstance(kept["settings"], dict):
                raise ValueError("its settings are none")
            if not isinstance(kept["rows"], list):
                raise ValueError("its rows are no list")
            rows = [{name: row[name] for name in (*COLUMNS, *row)} for row in kept["rows"]]  # all of them are there
            table = pd.DataFrame(kept["rows"], columns=list(kept["rows"][0]) if rows else list(COLUMNS))
            return cls(table.astype(dict.fromkeys(MEASURES, float)), kept["settings"])
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
            said = f"{type(error).__name__}: {error}"[:300]  # not JSON, not a table, not numbers
            raise ValueError(f"path: {path} is no saved comparison: {said}") from error

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers and strings; −∞ and missing as None."""
        return self._written(_plain)

    def _written(self, write: Callable[[Any], Any]) -> dict[str, Any]:
        rows = [{name: write(value) for name, value in row.items()} for row in self.table.to_dict(orient="records")]
        return {"rows": rows, "settings": dict(self.settings)}

    def summary(self) -> pd.DataFrame:
        """The table without its standard errors, and without the settings that the names of its rows tell."""
        errors = [ERROR] if ERROR in self.table and (self.table[ERROR] != "").any() else []
        return self.table.loc[:, ["model", "method", "seed", *SUMMARY, *errors]]

    def _formatters(self) -> Any:
        return {name: lambda x: "" if pd.isna(x) else _shown(x) for name in SUMMARY}

    def _repr_html_(self) -> str:
        return self.summary().to_html(index=False, formatters=self._formatters(), na_rep="", border=0)

    def __repr__(self) -> str:
        return self.summary().to_string(index=False, formatters=self._formatters(), na_rep="")


def compare(
    models: TrajectoryModel | Mapping[str, TrajectoryModel],
    methods: Mapping[str, Any],
    *,
    seeds: Sequence[int] = (0,),
    workers: int | None = 1,
    address: str | None = None,
    episodes: int = 1000,
    threads: int = 1,
    progress: bool = False,
) -> Comparison:
    """Fit every method to every model with every seed and evaluate it there.

    Args:
        models: a model, or name → model.
        methods: name → method.
        seeds: seeds of fitting and evaluation.
        workers: how many runs are made at a time; None: as many as there are cores for. More than 1 here means
            processes, and in a script the usual ``if __name__ == "__main__":`` around the call.
        address: of a Ray cluster to make them on, as ``ray.init`` takes it (extra ``ray``); None: this machine.
        episodes: simulated episodes, where there are no tables.
        threads: how many threads a run may use. The numbers hang on it by rounding, and on ``workers`` and
            ``address`` not at all.
        progress: show a progress bar for each fit (in this process only).

    Raises:
        ValueError: nothing to compare, or a method that cannot serve a model (before any fit).

    See ``sweep`` for settings too, and for results that outlive this process.
    """
    chosen = tuple(Variant(label, method) for label, method in named_methods(methods).items())
    pairs = [(Variant(name, model), chosen) for name, model in named_models(models).items()]
    plan = Plan(pairs, seeds, episodes, threads)
    found: dict[Job, Finished] = {}
    with closing(conduct(plan, crew_of(workers, address, threads, keep=True, progress=progress))) as ended:
        for job, outcome in ended:
            if isinstance(outcome, Failed):
                raise outcome.exception or RuntimeError(f"{job}: {outcome.error}")
            found[job] = outcome
    runs = [found[job].run for job in plan.jobs]
    return Comparison(tabulate(plan, found), plan.described() | {"versions": versions()}, tuple(filter(None, runs)))


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
