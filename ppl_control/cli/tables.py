"""Comparisons as tables on a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gymnasium import spaces
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ppl_control.cli.console import number
from ppl_control.comparison import Comparison
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["describe", "describe_versions", "print_comparison"]

NARROW = 100  # characters; a narrower terminal gets shorter headers and gaps
SHORTER = {"temperature": "temp.", "reward/nat": "rew/nat"}
COLUMNS = (
    ("bound", "nats"),
    ("gap", "nats"),
    ("believed", "reward"),
    ("executed", "reward"),
    ("optimism", "reward"),
    ("temperature", "reward/nat"),
    ("seconds", "s"),
)


def print_comparison(console: Console, result: Comparison, models: Mapping[str, TrajectoryModel]) -> None:
    """One table a model, then the versions."""
    rows = result.table.to_dict("records")
    seeded = len(result.settings["seeds"]) > 1
    narrow = console.width < NARROW
    for name, model in models.items():
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 0 if narrow else 1, 0, 0))
        table.add_column("method", overflow="fold", vertical="bottom")
        if seeded:
            table.add_column("seed", justify="right")
        for column, unit in COLUMNS:
            words = [SHORTER.get(word, word) if narrow else word for word in (column, unit)]
            table.add_column("{}\n[dim]{}[/dim]".format(*words), justify="right", no_wrap=True)
        for row in rows:
            if row["model"] == name:
                seed = [str(row["seed"])] if seeded else []
                cells = [_cell(row, column) for column, _ in COLUMNS]
                table.add_row(Text(str(row["method"])), *seed, *cells)
        console.print(f"[bold]{escape(name)}[/bold]  {escape(describe(model))}")
        console.print(table)
    console.print(f"[dim]{describe_versions(result.settings['versions'])}[/dim]", soft_wrap=True)


def _cell(row: Mapping[Any, Any], column: str) -> str:
    if column == "temperature":
        return "" if math.isnan(row[column]) else f"{row[column]:g}"
    scale = row["bound"] if column == "gap" else row["believed"]
    text = number(float(row[column]), float(scale))
    error = float(row.get(f"{column}_stderr", 0.0))
    return f"{text} ± {number(error)}" if error > 0 else text


def describe(model: TrajectoryModel) -> str:
    """Horizon, temperature, discount and prior in one line.

    Example:
        >>> from ppl_control import TabularMDP
        >>> coin = TabularMDP([1.0], [[[1.0], [1.0]]], [[0.0, 0.0]])
        >>> describe(TrajectoryModel(coin, horizon=3, temperature=0.5))
        'T = 3, α = 0.5, γ = 1, counting prior'
    """
    horizon = "until done" if model.horizon is None else f"T = {model.horizon}"
    prior = model.action_prior
    if model.mdp is None:
        kind = "prior of the program"
    elif prior is None:
        kind = "counting prior" if _is_finite(model) else "Lebesgue prior"
    elif isinstance(prior, str):
        kind = f"{prior} prior"
    else:
        kind = f"prior {type(prior).__name__}"
    return f"{horizon}, α = {model.temperature:g}, γ = {model.discount:g}, {kind}"


def _is_finite(model: TrajectoryModel) -> bool:
    return model.is_tabular or isinstance(model.mdp.action_space, spaces.Discrete)


def describe_versions(versions: Mapping[str, str]) -> str:
    """Versions in one line."""
    return "versions: " + ", ".join(f"{name} {number}" for name, number in versions.items())
