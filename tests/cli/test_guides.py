"""``ppl-control compare``: every method by its name, and continuous problems."""

import pytest

from ppl_control.cli import methods
from ppl_control.comparison import Comparison

SHORT = ["--steps", "2", "--json"]


def test_every_method_serves_a_table_or_a_plane(run) -> None:
    """One finite and one continuous problem, each with every method that can serve it."""
    finite = [name for name in methods.METHODS if name != "open_loop_flow"]
    rows = run("compare", "lottery", "--methods", ",".join(finite), *SHORT).rows
    assert [label for _, label in rows] == finite
    vectors = ["fixed_dynamics", "unconstrained", "open_loop", "open_loop_flow", "mean_field", "map", "particles"]
    ran = run("compare", "narrow_bridge", "--methods", ",".join(vectors), "--set", "horizon=2", *SHORT)
    assert [label for _, label in ran.rows] == vectors


def test_best_return_says_its_own_temperature(run) -> None:
    ran = run("compare", "lottery", "--methods", "best_return,soft_value_iteration", "--steps", "20", "--json")
    best, soft = ran.rows["lottery", "best_return"], ran.rows["lottery", "soft_value_iteration"]
    assert (best["temperature"], soft["temperature"]) == (methods.COLD, 1)
    assert best["gap"] is None
    assert best["executed"] == pytest.approx(0, abs=1e-6)  # it keeps its stake
    assert soft["executed"] < -0.1


def test_guides_on_the_hike(run) -> None:
    ran = run("compare", "hiking", "--methods", "soft_value_iteration,open_loop,map,particles_lookahead", "--json")
    feedback, plan, path, particles = ran.rows.values()
    assert feedback["executed"] > plan["executed"]
    assert path["believed"] == pytest.approx(9.5, abs=0.2)
    assert path["optimism"] > 5
    assert particles["bound"] == pytest.approx(88.50627, abs=0.3)


def test_a_bound_of_minus_infinity(run) -> None:
    arguments = ["compare", "bimodal", "--methods", "map", "--steps", "2"]
    text = run(*arguments).out
    (line,) = (line.split() for line in text.splitlines() if line.split()[:1] == ["map"])
    assert line[1] == "−∞"
    assert run(*arguments, "--json").rows["bimodal", "map"]["bound"] is None


def test_continuous_problems_by_default(run, tmp_path) -> None:
    arguments = ["--set", "horizon=3", "--steps", "2", "--json", "--save", tmp_path / "table.json"]
    ran = run("compare", "bimodal", "linear_quadratic", *arguments, "--pictures", tmp_path / "out")
    sampled = ["fixed_dynamics", "unconstrained", "open_loop"]
    assert [label for model, label in ran.rows if model == "bimodal"] == sampled
    assert [label for model, label in ran.rows if model == "linear_quadratic"] == [*methods.DEFAULTS, "open_loop"]
    assert ran.rows["bimodal", "open_loop"]["gap"] is None
    assert ran.rows["linear_quadratic", "open_loop"]["gap"] > 0
    assert "note: posterior is left out for bimodal" in ran.err
    names = ["bimodal_graph.png", "honesty.png", "linear_quadratic_graph.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    assert Comparison.load(tmp_path / "table.json").as_dict() == ran.json


def test_priors_are_named(run) -> None:
    short = ["--methods", "soft_value_iteration", "--set", "horizon=2"]
    assert "T = 2, α = 1, γ = 1, Lebesgue prior" in run("compare", "linear_quadratic", *short).out
    given = run("compare", "linear_quadratic", *short, "--set", "action_prior=2").out
    assert "prior MultivariateNormal" in given


def test_pictures_without_beliefs_of_states(run, tmp_path) -> None:
    ran = run("compare", "hiking", "--methods", "open_loop", "--steps", "2", "--pictures", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["hiking_graph.png", "honesty.png"]


def test_steps_are_those_of_svi_alone(run) -> None:
    settings = run("compare", "lottery", "--methods", "posterior,fixed_dynamics_adam,particles", *SHORT).json[
        "settings"
    ]
    assert "steps=2" in settings["methods"]["fixed_dynamics_adam"]
    assert "steps" not in settings["methods"]["posterior"]
    assert "steps" not in settings["methods"]["particles"]
