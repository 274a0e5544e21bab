"""Runs as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ppl_control.runs.outcomes import Finished, Outcome
from ppl_control.runs.plan import Job, Plan
from ppl_control.runs.run import MEASURES

__all__ = ["COLUMNS", "KEYS", "tabulate"]

KEYS = ("model", "method", "seed")
COLUMNS = (*KEYS, *MEASURES)
"""What every table of runs has."""


def tabulate(plan: Plan, outcomes: Mapping[Job, Outcome]) -> pd.DataFrame:
    """One row a job, in the plan's order, whatever the order in which they ended.

    Returns:
        Columns ``KEYS``; ``model.…`` and ``method.…`` for the settings of variants, empty where one has no such
        setting; ``MEASURES``, empty for runs that failed.
    """
    jobs = plan.jobs
    given = [{f"model.{n}": _plain(v) for n, v in job.model.settings.items()}
             | {f"method.{n}": _plain(v) for n, v in job.method.settings.items()} for job in jobs]  # fmt: skip
    names = sorted(dict.fromkeys(name for row in given for name in row), key=lambda name: name.startswith("method."))
    rows = [
        {"model": job.model.label, "method": job.method.label, "seed": job.seed}
        | {name: settings.get(name) for name in names}
        | _measured(outcomes[job])
        for job, settings in zip(jobs, given, strict=True)
    ]
    table = pd.DataFrame(rows, columns=[*KEYS, *names, *MEASURES])
    return table.astype(dict.fromkeys(MEASURES, float))


def _measured(outcome: Outcome) -> dict[str, float]:
    return outcome.measures if isinstance(outcome, Finished) else dict.fromkeys(MEASURES, math.nan)


def _plain(value: Any) -> Any:
    """A setting that a table can hold and JSON can keep; other ones as they show themselves."""
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return repr(value)
