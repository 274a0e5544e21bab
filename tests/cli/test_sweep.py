"""``ppl-control sweep``: its table, its files, its errors, and how it is stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ppl_control import Comparison

COMMAND = Path(sys.executable).with_name("ppl-control")
SMALL = ["sweep", "hiking", "lottery", "--methods", "posterior,fixed_dynamics_adam", "--seeds", "0:2"]
GRID = ["--set", "noise=0,0.2", "--method-set", "steps=2,3"]


def test_every_combination(run, tmp_path) -> None:
    out, file = tmp_path / "out", tmp_path / "table.json"
    ran = run(*SMALL, *GRID, "--out", out, "--save", file, "--json")
    assert ran.code == 0, ran.err
    rows = [
        (row["model"], row["method"], row["seed"], row["model.noise"], row["method.steps"]) for row in ran.json["rows"]
    ]
    assert rows == [
        (f"{name} noise={noise}" if noise is not None else name,
         f"{method} steps={steps}" if steps else method, seed, noise, steps)
        for name, noise in (("hiking", 0), ("hiking", 0.2), ("lottery", None))
        for method, steps in (("posterior", None), ("fixed_dynamics_adam", 2), ("fixed_dynamics_adam", 3))
        for seed in (0, 1)
    ]  # fmt: skip
    assert len(list(out.iterdir())) == len(rows)
    assert "note: lottery has no setting 'noise'" in ran.err
    assert "18/18" in ran.err
    assert Comparison.load(file).as_dict() == ran.json
    again = run(*SMALL, *GRID, "--out", out, "--json")
    assert again.json == ran.json  # the seconds too: nothing was made again
    assert "18 kept" in again.err


def test_numbers_are_those_of_compare(run) -> None:
    swept = run("sweep", "hiking", "--methods", "posterior,fixed", "--set", "noise=0.1", "--json").json["rows"]
    compared = run("compare", "hiking", "--methods", "posterior,fixed", "--set", "noise=0.1", "--json").json["rows"]
    for one, other in zip(swept, compared, strict=True):
        assert {name: one[name] for name in other if name not in ("model", "seconds")} == {
            name: other[name] for name in other if name not in ("model", "seconds")
        }


def test_table(run) -> None:
    ran = run("sweep", "lottery", "--set", "temperature=1,2", "--methods", "fixed")
    assert ran.code == 0
    assert "lottery temperature=1  T = 1, α = 1, γ = 1, counting prior" in ran.out
    assert "lottery temperature=2  T = 1, α = 2, γ = 1, counting prior" in ran.out


def test_a_file_of_the_user_s_own_reaches_its_workers(run, tmp_path) -> None:
    (tmp_path / "payment.py").write_text("def paid(buy, won):\n    return 11.0 * won - buy\n")
    (tmp_path / "tickets.py").write_text(
        "import pyro, torch\nimport pyro.distributions as dist\nfrom payment import paid\n"
        "from ppl_control import TrajectoryModel\n\n"
        "def program():\n"
        "    buy = pyro.sample('a_0', dist.Categorical(torch.ones(2)))\n"
        "    won = pyro.sample('s_1', dist.Bernoulli(0.01 * buy))\n"
        "    pyro.deterministic('r_0', paid(buy, won))\n\n"
        "def model(temperature=1.0):\n"
        "    print('a word of its own')\n"
        "    return TrajectoryModel.from_program(program, horizon=1, temperature=temperature)\n"
    )
    arguments = ["sweep", tmp_path / "tickets.py", "--methods", "fixed", "--method-set", "steps=2", "--seeds", "0,1"]
    here, there = run(*arguments, "--json"), run(*arguments, "--workers", "2", "--json")
    assert "a word of its own" in here.err
    rows = [[row | {"seconds": 0} for row in ran.json["rows"]] for ran in (here, there)]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 2


def test_failed_runs_are_told_and_the_exit_code_is_1(run, tmp_path) -> None:
    (tmp_path / "broken.py").write_text(
        "import torch\nfrom ppl_control import DifferentiableMDP, TrajectoryModel\n"
        "import pyro.distributions as dist\nfrom gymnasium import spaces\n\n"
        "calls = []\n"
        "def reward(state, action, following):\n"
        "    calls.append(1)\n"
        "    if len(calls) > 30:\n"
        "        raise ArithmeticError('worn out')\n"
        "    return -following[..., 0] ** 2\n\n"
        "def model():\n"
        "    cart = DifferentiableMDP(torch.zeros(1), lambda s, a: dist.Normal(s + a, 0.1).to_event(1), reward,\n"
        "                             action_space=spaces.Box(-1.0, 1.0, (1,)))\n"
        "    return TrajectoryModel(cart, horizon=3, action_prior='uniform')\n"
    )
    arguments = [
        "sweep",
        tmp_path / "broken.py",
        "--methods",
        "fixed",
        "--method-set",
        "steps=30",
        "--out",
        tmp_path / "out",
    ]
    ran = run(*arguments, "--json")
    assert ran.code == 1
    (row,) = ran.json["rows"]
    assert row["error"] == "ArithmeticError: worn out"
    assert row["bound"] is None
    assert "failed: fixed_dynamics steps=30 on broken, seed 0: ArithmeticError: worn out" in ran.err
    assert "remove" in ran.err.splitlines()[-1]
    shown = run(*arguments, "--out", tmp_path / "out")
    assert shown.code == 1
    assert "fixed_dynamics steps=30" in shown.out
    assert "nan" not in shown.out
    (file,) = (tmp_path / "out").iterdir()
    assert "in reward" in json.loads(file.read_text())["trace"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hikin"], "'hikin' is no worked problem"),
        (["hiking", "hiking"], "hiking was given twice"),
        (["hiking", "--set", "nose=1,2"], "--set: there is no setting 'nose': hiking has noise, horizon"),
        (["hiking", "--set", "noise"], "--set: expected name=value, got 'noise'"),
        (["hiking", "--set", "noise=0.1,0.1"], "--set: noise: 0.1 was given twice"),
        (["hiking", "--set", "noise=0.1,2"], "noise: expected a probability in [0, 1], got 2"),
        (["hiking", "--method-set", "stops=1"], "--method-set: there is no setting 'stops'"),
        (["hiking", "--methods", "fixed", "--method-set", "steps=0"], "steps: expected an integer >= 1, got 0"),
        (["hiking", "--methods", "magic"], "'magic' is no method"),
        (["hiking", "--seeds", "0:x"], "--seeds: expected integers, got '0:x'"),
        (["hiking", "--seeds", "3:1"], "--seeds: 3:1 is an empty range"),
        (["hiking", "--seeds", "0:3,2"], "--seeds: 2 was given twice"),
        (["hiking", "--seeds", "0:10000000000"], "--seeds: expected at most 1000000 seeds, got 0:10000000000"),
        (["hiking", "--workers", "0"], "workers: expected an integer >= 1, got 0"),
        (["hiking", "--threads", "0"], "threads: expected an integer >= 1, got 0"),
        (["narrow_bridge", "--methods", "posterior"], "posterior cannot serve narrow_bridge"),
        (["hiking", "--address", "nowhere"], "address: no Ray cluster at 'nowhere'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_refused(run, tmp_path, arguments: list[str], message: str) -> None:
    assert message in run("sweep", *arguments, "--save", tmp_path / "deep" / "table.json").error
    assert not (tmp_path / "deep").exists()


def test_places_are_checked_before_any_work(run, tmp_path) -> None:
    (tmp_path / "file").touch()
    assert run("sweep", "hiking", "--out", tmp_path / "file").error.endswith("is a file, expected a folder")
    assert run("sweep", "hiking", "--save", tmp_path).error.endswith("is a folder, expected a file")


def test_a_foreign_file_among_the_results_is_named(run, tmp_path) -> None:
    arguments = ["sweep", "lottery", "--methods", "fixed", "--out", tmp_path, "--json"]
    run(*arguments)
    (file,) = tmp_path.iterdir()
    file.write_text("{}")
    assert f"folder: {file} is no result of fixed_dynamics on lottery, seed 0" in run(*arguments).error


def test_ctrl_c(tmp_path) -> None:
    out = tmp_path / "out"
    arguments = ["sweep", "hiking", "--methods", "fixed_dynamics_adam", "--method-set", "steps=300", "--seeds", "0:500"]
    command = [COMMAND, *arguments, "--out", out, "--json"]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")
    end = time.monotonic() + 60
    try:
        while len(list(out.glob("*.json"))) < 2:
            assert time.monotonic() < end
            assert started.poll() is None
            time.sleep(0.02)
        started.send_signal(signal.SIGINT)
        printed, errors = started.communicate(timeout=30)
    finally:
        started.kill()
    kept = len(list(out.glob("*.json")))
    assert started.returncode == 130
    assert printed == ""
    assert errors.splitlines()[-1] == (
        f"interrupted: {kept} of 500 runs have ended; kept in {out}, where the same call goes on"
    )
    assert "Traceback" not in errors


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.3, 12.0], ids=["while workers start", "while they work"])
def test_ctrl_c_in_a_terminal_reaches_workers_too(seconds: float, tmp_path) -> None:
    out = tmp_path / "out"
    arguments = ["sweep", "hiking", "--methods", "fixed_dynamics_adam", "--method-set", "steps=500", "--seeds", "0:900"]
    command = [COMMAND, *arguments, "--workers", "2", "--out", out, "--json"]
    started = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", start_new_session=True
    )
    end = time.monotonic() + 60
    while not out.exists():
        assert time.monotonic() < end
        assert started.poll() is None
        time.sleep(0.02)
    time.sleep(seconds)
    os.killpg(started.pid, signal.SIGINT)
    printed, errors = started.communicate(timeout=30)
    assert started.returncode == 130
    assert printed == ""
    assert "Traceback" not in errors
    assert errors.splitlines()[-1].startswith(f"interrupted: {len(list(out.glob('*.json')))} of 900 runs have ended")
    assert len(errors.splitlines()) == 2  # the bar, and this
