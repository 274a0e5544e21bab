"""``ppl-control models`` and ``--version``."""

from importlib.metadata import version

ENDLESS = {"bus_engine"}  # whose posterior has no fixed point under the base measure
TABULAR = {"cliff_walking", "frozen_lake", "gridworld", "hiking", "lottery"}
CONTINUOUS = {"bimodal", "linear_quadratic", "narrow_bridge", "pendulum"}


def test_every_worked_problem_is_listed_with_its_settings(run) -> None:
    listed = {model["name"]: model for model in run("models", "--json").json["models"]}
    assert listed.keys() == TABULAR | CONTINUOUS | ENDLESS
    assert listed["hiking"]["settings"] == {
        "noise": 0.1, "horizon": 13, "temperature": 0.1, "action_prior": "uniform"
    }  # fmt: skip
    assert listed["hiking"]["description"].startswith("Hiking: two peaks")


def test_table(run) -> None:
    text = run("models").out
    assert "Hiking: two peaks" in text
    assert "noise=0.1" in text
    assert "win_probability=0.01" in text


def test_every_tabular_problem_has_its_posterior(run) -> None:
    rows = run("compare", *sorted(TABULAR), "--methods", "posterior", "--json").rows
    assert {model for model, _ in rows} == TABULAR


def test_every_continuous_problem_can_be_compared(run) -> None:
    settings = ["--set", "horizon=2", "--steps", "1"]
    rows = run("compare", *sorted(CONTINUOUS), *settings, "--methods", "fixed,open_loop", "--json").rows
    assert set(rows) == {(name, method) for name in CONTINUOUS for method in ("fixed_dynamics", "open_loop")}
    assert all(row["bound"] is not None for row in rows.values())


def test_version(run) -> None:
    assert run("--version").out == f"ppl-control {version('ppl-control')}\n"
