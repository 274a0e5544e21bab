"""Python files of the user's own."""

from pathlib import Path

import pytest

from ppl_control import SVI
from ppl_control.cli import methods
from ppl_control.guides import FixedDynamics, Unconstrained

PROGRAM = """
import pyro
import pyro.distributions as dist
import torch

from ppl_control import TrajectoryModel

def model(chance=0.25, horizon=2):
    def tickets():
        for t in range(horizon):
            buy = pyro.sample(f"a_{t}", dist.Categorical(torch.ones(2)))
            won = pyro.sample(f"s_{t}", dist.Bernoulli(chance * buy))
            pyro.deterministic(f"r_{t}", won - 0.3 * buy)

    return TrajectoryModel.from_program(tickets, horizon=horizon)
"""
TABLE = """
from dataclasses import dataclass

from ppl_control.models import hiking
import neighbour

@dataclass
class Storm:
    noise: "float"

def model({signature}):
    return hiking.model(noise=Storm({noise}).noise)
"""


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str, name: str = "mine.py") -> Path:
        (tmp_path / "neighbour.py").write_text("NOISE = 0.1\n")
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


@pytest.fixture
def _quick(monkeypatch) -> None:
    quick = {"steps": 2, "particles": 4}
    monkeypatch.setitem(methods.METHODS, "fixed_dynamics", SVI(FixedDynamics(), **quick))
    monkeypatch.setitem(methods.METHODS, "unconstrained", SVI(Unconstrained(), **quick))


@pytest.mark.usefixtures("_quick")
def test_a_program(run, write, tmp_path) -> None:
    ran = run("compare", write(PROGRAM), "--set", "chance=0.5", "--json", "--pictures", tmp_path / "out")
    assert set(ran.rows) == {("mine", "fixed_dynamics"), ("mine", "unconstrained")}
    assert ran.rows["mine", "fixed_dynamics"]["believed_stderr"] > 0
    assert ran.rows["mine", "fixed_dynamics"]["gap"] is None
    assert ran.json["settings"]["problems"]["mine"] == {"chance": 0.5, "horizon": 2}
    assert "note: posterior is left out for mine: MessagePassing needs a tabular or linear-Gaussian model" in ran.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["honesty.png", "mine_graph.png"]


def test_a_method_asked_for_by_name_must_serve(run, write) -> None:
    error = run("compare", write(PROGRAM), "--methods", "fixed,posterior").error
    assert error.startswith(
        "--methods: posterior cannot serve mine: MessagePassing needs a tabular or linear-Gaussian model"
    )


def test_a_factory(run, write) -> None:
    file = write(TABLE.format(signature="noise=neighbour.NOISE", noise="noise"))
    rows = run("compare", file, "hiking", "--methods", "posterior", "--json").rows
    assert rows["mine", "posterior"]["executed"] == rows["hiking", "posterior"]["executed"]
    calm = run("compare", file, "--set", "noise=0", "--methods", "posterior", "--json").rows
    assert calm["mine", "posterior"]["optimism"] == pytest.approx(0, abs=1e-9)


def test_a_variable(run, write) -> None:
    file = write("from ppl_control.models import lottery\nmodel = lottery.model(prize=20.0)\n")
    ran = run("compare", file, "--methods", "posterior", "--json")
    assert ran.rows["mine", "posterior"]["believed"] == pytest.approx(20, abs=1e-4)
    assert run("compare", file, "--set", "prize=1").error == "--set: mine has no setting 'prize'; it has none"


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("x = 1\n", [], "mine.py defines no 'model'"),
        ("x = (\n", [], "mine.py:1: SyntaxError"),
        ("\n\nraise RuntimeError('broken')\n", [], "mine.py:3: RuntimeError: broken"),
        ("def model(a):\n    return a\n", [], "mine needs a value for 'a'"),
        (
            "def model(a):\n    return a\n",
            ["--set", "a=1"],
            "mine makes an object of type int, expected a TrajectoryModel",
        ),
        ("def model(a):\n    return 1 / a\n", ["--set", "a=0"], "mine.py:2: ZeroDivisionError"),
        ("model = 3\n", [], "mine makes an object of type int, expected a TrajectoryModel"),
    ],
)
def test_files_that_do_not_work(run, write, text: str, arguments: list[str], message: str) -> None:
    assert message in run("compare", write(text), *arguments).error


def test_a_file_that_is_not_there(run, tmp_path) -> None:
    assert run("compare", tmp_path / "none.py").error == f"MODEL: there is no file {tmp_path / 'none.py'}"
