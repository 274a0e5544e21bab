"""``ppl-control irl``."""

import pytest

LAST = (
    "import torch\nfrom ppl_control import TabularMDP, TrajectoryModel\nfrom ppl_control.inverse import TabularReward\n"
)
OWN = LAST + (
    "model = TrajectoryModel(TabularMDP([1.0], [[[1.0], [1.0]]], [[0.0, 0.0]]), horizon=1)\n"
    "def reward():\n    return TabularReward(1, 2)\n"
    "demonstrations = [[(0, 1, 0)], [(0, 1, 0)], [(0, 0, 0)]]\n"
)


def estimates(fit):
    return {row["parameter"]: row["estimate"] for row in fit["parameters"]}


def test_recorded_behaviour(run) -> None:
    found = run("irl", "bus_engine", "--json").json
    assert found["demonstrations"] == {"source": "recorded", "trajectories": 4292, "decisions": 4292}
    (fit,) = found["fits"]
    assert estimates(fit) == pytest.approx({"RC": 10.075, "θ": 2.293}, abs=1e-3)
    assert fit["log_likelihood"] == pytest.approx(-163.584, abs=1e-3)
    assert "report" not in found


def test_simulated_behaviour_is_held_against_the_demonstrator(run) -> None:
    found = run("irl", "hiking", "--objective", "conditional,trajectory", "--seed", 3, "--json").json
    assert found["demonstrations"]["source"] == "simulated, seed 3"
    assert [fit["objective"] for fit in found["fits"]] == ["conditional", "trajectory"]
    rows = {row["name"]: row for row in found["report"]}
    assert list(rows) == ["demonstrator", "conditional", "trajectory", "behaviour cloning"]
    assert rows["conditional"]["occupancy_distance"] < 0.01
    assert rows["trajectory"]["occupancy_distance"] > 0.7
    assert rows["behaviour cloning"]["reward_correlation"] is None


def test_tables_of_gymnasium(run) -> None:
    settings = ("--set", "temperature=0.1", "--reward", "state", "--demonstrations", 50)
    found = run("irl", "FrozenLake-v1", *settings, "--json").json
    assert found["l2"] == 1e-3
    assert len(found["fits"][0]["parameters"]) == 16
    text = run("irl", "FrozenLake-v1", *settings).out
    assert "occupancy distance" in text


def test_a_file_of_ones_own(run, tmp_path) -> None:
    path = tmp_path / "pulls.py"
    path.write_text(OWN, encoding="utf-8")
    (fit,) = run("irl", path, "--json").json["fits"]
    table = estimates(fit)
    assert table["table[0, 1]"] > table["table[0, 0]"]
    assert "recorded" in run("irl", path).out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hiking", "--objective", "causal"], "--objective: 'causal' is none of"),
        (["hiking", "--reward", "pixels"], "--reward: 'pixels' is none of"),
        (["hiking", "--demonstrations", "0"], "--demonstrations: expected at least 1"),
        (
            ["hiking", "--seed", "99999999999999999999"],
            "--seed: expected an integer of 64 bits, got 99999999999999999999",
        ),
        (["hiking", "--seed", str(-(2**63) - 1)], "--seed: expected an integer of 64 bits"),
        (["hiking", "--l2", "-1"], "l2: expected"),
        (["hiking", "--l2", "nan"], "l2: expected"),
        (["pendulum"], "pendulum is no table"),
        (["hiking", "--objective", "dual", "--demonstrations", "5"], "the dual is unbounded"),
        (["bus_engine", "--objective", "dual"], "needs whole trajectories"),
        (["nowhere"], "is no worked problem"),
    ],
)
def test_refused(run, arguments, message) -> None:
    assert message in run("irl", *arguments).error


def test_a_reward_that_is_none(run, tmp_path) -> None:
    path = tmp_path / "odd.py"
    path.write_text(OWN.replace("return TabularReward(1, 2)", "return 3"), encoding="utf-8")
    assert "is no reward model" in run("irl", path).error
    path.write_text(OWN.replace("return TabularReward(1, 2)", "return 1 / 0"), encoding="utf-8")
    assert "odd.py:6: ZeroDivisionError" in run("irl", path).error
