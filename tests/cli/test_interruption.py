"""Ctrl-C on the command line: what was found, one line on how to go on, exit code 130."""

import json
from dataclasses import replace

import pytest

from ppl_control import SVI, SimulatorMDP, SoftActorCritic, SoftValueIteration, TrajectoryModel, infer, load
from ppl_control.models import lottery
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


def test_irl_tells_what_it_has_and_fits_no_more(run, monkeypatch):
    from ppl_control.inverse.exact import max_ent

    command = ["irl", "hiking", "--objective", "conditional,trajectory", "--json"]
    with monkeypatch.context() as patched:
        pressing(patched, max_ent, "_evaluated", 3)
        part = run(*command)
    assert part.code == 130
    assert part.err.splitlines()[-1].startswith("interrupted, and unfinished: the fits above are as far as they came")
    (fit,) = part.json["fits"]
    assert (fit["objective"], fit["finished"], fit["converged"]) == ("conditional", False, False)
    assert "report" not in part.json
    whole = run(*command)
    assert whole.code == 0
    assert [fit["finished"] for fit in whole.json["fits"]] == [True, True]
    assert whole.json["fits"][0]["log_likelihood"] > fit["log_likelihood"]


def test_irl_prints_what_it_has(run, monkeypatch):
    from ppl_control.inverse.exact import max_ent

    pressing(monkeypatch, max_ent, "_evaluated", 3)
    part = run("irl", "bus_engine")
    assert part.code == 130
    assert "RC" in part.out
    assert part.err.splitlines()[-1].startswith("interrupted, and unfinished")


def test_irl_learns_nothing_from_half_a_demonstrator(run, monkeypatch):
    half = replace(infer(lottery.model(), SoftValueIteration()), finished=False)
    monkeypatch.setattr(SoftValueIteration, "solve", lambda self, model: half)
    ran = run("irl", "lottery")
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.splitlines()[-1] == "interrupted: the demonstrator was still being solved"


def test_irl_twice_aborts_in_one_line(run, monkeypatch):
    from ppl_control.inverse.exact import max_ent

    pressing(monkeypatch, max_ent, "_evaluated", 3, times=2)
    ran = run("irl", "bus_engine")
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.splitlines()[-1] == "interrupted"
    assert "Traceback" not in ran.err
