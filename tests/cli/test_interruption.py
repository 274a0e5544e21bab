"""Ctrl-C on the command line: what was found, one line on how to go on, exit code 130."""

import json

import pytest

from ppl_control import SVI, SimulatorMDP, SoftActorCritic, TrajectoryModel, load
from tests.interrupting import pressing

SAC = ["train", "sac", "Pendulum-v1", "--steps", 300, "--set", "hidden=(8,)", "--set", "batch_size=8",
       "--set", "episodes=2", "--set", "compile=False", "--episodes", 2, "--json"]  # fmt: skip


def test_train_keeps_what_it_has_and_goes_on(run, tmp_path, monkeypatch):
    kept = ["--checkpoint", tmp_path / "run.pt"]
    with monkeypatch.context() as patched:
        pressing(patched, SoftActorCritic, "step", 2)
        part = run(*SAC, *kept, "--save", tmp_path / "part.pt")
    assert part.code == 130
    assert part.err.splitlines()[-1] == (
        f"interrupted, and unfinished: the same command goes on from {tmp_path / 'run.pt'}"
    )
    assert part.json["finished"] is False
    assert [row["step"] for row in part.json["evaluations"]] == [100, 200]
    model = TrajectoryModel(SimulatorMDP("Pendulum-v1"), temperature=1.0, discount=0.99)
    assert not load(tmp_path / "part.pt", model).finished
    whole, again = run(*SAC).json, run(*SAC, *kept).json
    assert whole["finished"] is True
    assert again["log_evidence_bound"] == whole["log_evidence_bound"]


def test_without_a_checkpoint_it_says_what_would_help(run, monkeypatch):
    pressing(monkeypatch, SoftActorCritic, "step", 1)
    ran = run(*SAC)
    assert ran.code == 130
    assert "give --checkpoint FILE" in ran.err.splitlines()[-1]


@pytest.mark.parametrize("command", [SAC, ["solve", "FrozenLake-v1", "--method", "fixed_dynamics"]])
def test_twice_aborts_in_one_line(run, command, monkeypatch):
    pressing(monkeypatch, SoftActorCritic if command is SAC else SVI, "step", 1, times=2)
    ran = run(*command)
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.splitlines()[-1] == "interrupted"
    assert "Traceback" not in ran.err


def test_solve(run, tmp_path, monkeypatch):
    command = ["solve", "FrozenLake-v1", "--method", "fixed_dynamics", "--json", "--checkpoint", tmp_path / "run.pt"]
    with monkeypatch.context() as patched:
        pressing(patched, SVI, "step", 1)
        part = run(*command)
    assert part.code == 130
    assert json.loads(part.out)["finished"] is False
    assert part.err.splitlines()[-1].endswith(f"goes on from {tmp_path / 'run.pt'}")
    whole = run(*command)
    assert (whole.code, whole.json["finished"]) == (0, True)


def test_compare_takes_no_half_fit_for_a_row(run, tmp_path, monkeypatch):
    pressing(monkeypatch, SVI, "step", 2)
    ran = run("compare", "lottery", "--methods", "fixed_dynamics,unconstrained", "--save", tmp_path / "a.json")
    assert (ran.code, ran.out) == (130, "")
    assert "sweep --out FOLDER keeps every run that ended" in ran.err.splitlines()[-1]
    assert not (tmp_path / "a.json").exists()
