"""``ppl-control models`` and ``--version``."""

from importlib.metadata import version


def test_every_worked_problem_is_listed_with_its_settings(run) -> None:
    listed = {model["name"]: model for model in run("models", "--json").json["models"]}
    assert listed.keys() >= {"cliff_walking", "frozen_lake", "gridworld", "hiking", "lottery"}
    assert listed["hiking"]["settings"] == {
        "noise": 0.1, "horizon": 13, "temperature": 0.1, "action_prior": "uniform"
    }  # fmt: skip
    assert listed["hiking"]["description"].startswith("Hiking: two peaks")


def test_table(run) -> None:
    text = run("models").out
    assert "Hiking: two peaks" in text
    assert "noise=0.1" in text
    assert "win_probability=0.01" in text


def test_every_listed_problem_can_be_compared(run) -> None:
    names = [model["name"] for model in run("models", "--json").json["models"]]
    rows = run("compare", *names, "--methods", "posterior", "--json").rows
    assert [model for model, _ in rows] == names


def test_version(run) -> None:
    assert run("--version").out == f"ppl-control {version('ppl-control')}\n"
