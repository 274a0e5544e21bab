"""The README's tables of methods × models and of guides say what is so."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ppl_control import (
    MessagePassing,
    SoftValueIteration,
    TabularMDP,
    TrajectoryModel,
    compare,
    evaluate,
    guides,
    infer,
)
from ppl_control.cli import app
from ppl_control.inference import SVI
from ppl_control.models import hiking
from tests.contracts.test_methods import METHODS, MODELS, serves

LINES = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").splitlines()
COLUMNS = {
    "tables, horizon": {"plain", "by_outcome", "timed"},
    "tables, no horizon": {"endless"},
    "Pyro program": {"program", "branching"},
    "linear-Gaussian": {"linear"},
    "torch code": {"walk", "choices"},
    "simulator": {"corridor", "drift", "cart"},
}


def table(column: str) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the one table that has this column."""
    (start,) = (i for i, line in enumerate(LINES) if line.startswith("|") and f"| {column} |" in line)
    rows = []
    for line in LINES[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows[0], rows[2:]


def numbers(cell: str) -> list[float]:
    return [float(x) for x in re.findall(r"-?\d+(?:\.\d+)?", cell.replace("−", "-"))]


def rounded(values: Iterable[float], decimals: int) -> list:
    return [pytest.approx(value, abs=0.51 * 10**-decimals) for value in values]


HEAD, ROWS = table("tables, horizon")
CELLS = [(row[0].strip("`"), name, cell) for row in ROWS for name, cell in zip(HEAD[1:], row[1:], strict=True)]


def test_every_method_and_every_model_is_in_the_table():
    assert [row[0].strip("`") for row in ROWS] == list(dict.fromkeys(row[0].strip("`") for row in ROWS))
    assert {row[0].strip("`") for row in ROWS} == METHODS.keys()
    assert HEAD[1:] == list(COLUMNS)
    assert set().union(*COLUMNS.values()) == MODELS.keys()


@pytest.mark.parametrize(("kind", "column", "cell"), CELLS, ids=lambda value: str(value))
def test_methods_and_models(kind: str, column: str, cell: str):
    assert cell in ("", "yes", "exact")
    served = [(m, MODELS[name]) for m, _ in METHODS[kind] for name in COLUMNS[column] if serves(m, MODELS[name])]
    assert bool(served) == bool(cell)
    if cell == "exact":
        assert all(infer(model, method).exact for method, model in served)


def test_the_guides_on_the_hike():
    model = hiking.model()
    methods = {
        "FixedDynamics": SoftValueIteration(),
        "Unconstrained": MessagePassing(),
        "OpenLoop": SVI(guides.OpenLoop()),
        "MeanField": SVI(guides.MeanField()),
        "MAP": SVI(guides.MAP()),
    }
    head, rows = table("its optimum is")
    stated = {row[0].strip("`"): row[-1] for row in rows}
    assert head[:4] == ["guide", "fixed", "learned", "its optimum is"]
    assert stated.keys() - {"a function of yours"} == methods.keys()
    for name, method in methods.items():
        result = evaluate(infer(model, method, progress=False), model)
        assert numbers(stated[name]) == rounded((result.believed_return, result.executed_return), 2), name


def test_the_lake():
    lake = TrajectoryModel(TabularMDP.from_gymnasium("FrozenLake-v1"), horizon=100, temperature=0.02)
    methods = {
        "posterior": MessagePassing(),
        "unconstrained": SVI(guides.Unconstrained()),
        "fixed dynamics": SVI(guides.FixedDynamics()),
    }
    found = compare(lake, methods).table.set_index("method")
    head, rows = table("bound (nats)")
    assert head == ["method", "bound (nats)", "gap", "believed", "executed", "optimism"]
    assert [row[0] for row in rows] == list(methods)
    for name, *cells in rows:
        for column, cell in zip(["bound", "gap", "believed", "executed", "optimism"], cells, strict=True):
            decimals = len(cell.partition(".")[2])
            assert float(cell) == pytest.approx(found.loc[name, column], abs=0.51 * 10**-decimals), (name, column)


def test_the_hiker_s_tastes():
    outcome = CliRunner().invoke(app, ["irl", "hiking", "--objective", "conditional,dual,trajectory", "--json"])
    said = json.loads(outcome.stdout)
    fits = {fit["objective"]: {p["parameter"]: p["estimate"] for p in fit["parameters"]} for fit in said["fits"]}
    returns = {row["name"]: row["executed_return"] for row in said["report"]}
    head, rows = table("its policy gets")
    assert [row[0].strip('`"') for row in rows] == list(fits)
    for name, _, *cells in rows:
        objective = name.strip('`"')
        for column, cell in zip(head[2:-1], cells[:-1], strict=True):
            decimals = len(cell.partition(".")[2])
            assert numbers(cell) == rounded([fits[objective][column]], decimals), (objective, column)
        assert numbers(cells[-1]) == rounded([returns[objective]], 2)
