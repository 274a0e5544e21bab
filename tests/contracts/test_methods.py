"""What every method promises, on every kind of model it serves."""

import random
from functools import lru_cache

import numpy as np
import pyro
import pytest
import torch

import ppl_control
from ppl_control import TrajectoryModel, evaluate, infer, inference, load
from ppl_control.guides import FixedDynamics, Unconstrained
from ppl_control.inference.base import ExactMethod, IterativeMethod
from ppl_control.policies import CategoricalMLP, TabularPolicy
from tests.problems import random_problem
from tests.trajectory.test_from_program import as_program

QUICK = {"steps": 4, "particles": 16}
METHODS = {
    "MessagePassing": [inference.MessagePassing()],
    "SoftValueIteration": [inference.SoftValueIteration()],
    "SVI": [
        inference.SVI(**QUICK),
        inference.SVI(Unconstrained(), **QUICK),
        inference.SVI(optimizer="adam", **QUICK),
        inference.SVI(estimator="score", **QUICK),
        inference.SVI(Unconstrained(), estimator="score", **QUICK),
        inference.SVI(estimator="pyro", **QUICK),
    ],
}
PROGRAM = random_problem(8, prior="uniform", shared=False, ends=False)
MODELS = {
    "plain": random_problem(1, prior="uniform", shared=False).model(),
    "by_outcome": random_problem(1, discount=0.8, prior="closed").model(),
    "timed": random_problem(3, prior="timed").model(),
    "endless": random_problem(2, prior="uniform").model().replaced(horizon=None, discount=0.6),
    "program": as_program(PROGRAM),
    "branching": as_program(random_problem(8, horizon=1, shared=False, ends=False), batched=False),
}


def serves(method, model: TrajectoryModel) -> bool:
    try:
        method.check(model)
    except ValueError:
        return False
    return True


def expected_to_serve(method, name: str) -> bool:
    if not isinstance(method, inference.SVI):
        return name not in ("program", "branching")
    if method.optimizer == "adam" and method.estimator is None:
        return True
    return method.estimator != "pyro" or name != "endless"


CASES = [
    pytest.param(method, name, id=f"{kind}{i}-{name}")
    for kind, variants in METHODS.items()
    for i, method in enumerate(variants)
    for name in MODELS
    if expected_to_serve(method, name)
]
cases = pytest.mark.parametrize(("method", "name"), CASES)


@lru_cache
def solved(method, name: str):
    return infer(MODELS[name], method, seed=3, progress=False)


def tensors(solution) -> dict[str, torch.Tensor]:
    found = {name: value for name, value in solution.guide.state_dict().items()}
    for name in ("soft_value", "soft_q"):
        if getattr(solution, name) is not None:
            found[name] = getattr(solution, name)
    return found


def assert_same(one, other) -> None:
    for name in ("log_evidence_bound", "log_evidence_bound_stderr", "temperature", "exact", "error_bound"):
        assert getattr(one, name) == getattr(other, name), name
    assert {k: tuple(v) for k, v in one.history.items()} == {k: tuple(v) for k, v in other.history.items()}
    here, there = tensors(one), tensors(other)
    assert here.keys() == there.keys()
    assert all(torch.equal(here[name], there[name]) for name in here)


def test_every_method_is_held_to_its_contract():
    named = {
        name
        for name in inference.__all__
        if isinstance(value := getattr(inference, name), type)
        and hasattr(value, "check")
        and not getattr(value, "_is_protocol", False)
    }
    assert named == METHODS.keys()
    assert named <= set(ppl_control.__all__)


@pytest.mark.parametrize("method", [m for variants in METHODS.values() for m in variants], ids=repr)
def test_check_says_who_is_served(method):
    assert {name for name in MODELS if serves(method, MODELS[name])} == {
        name for name in MODELS if expected_to_serve(method, name)
    }
    assert isinstance(method, ExactMethod) != isinstance(method, IterativeMethod)


@cases
def test_a_solution_has_all_its_fields(method, name: str):
    model, solution = MODELS[name], solved(method, name)
    assert np.isfinite(solution.log_evidence_bound)
    assert solution.exact is not isinstance(method, inference.SVI)
    assert solution.temperature == model.temperature
    assert solution.method == method
    assert solution.model is model
    if model.is_tabular:
        states, actions = model.tables.num_states, model.tables.num_actions
        time = () if model.horizon is None else (model.horizon,)
        ahead = () if model.horizon is None else (model.horizon + 1,)
        assert solution.soft_value.shape == (*ahead, states)
        assert solution.soft_q.shape == (*time, states, actions)
        assert solution.soft_value.dtype == solution.soft_q.dtype == torch.float64
        assert not solution.soft_value.isnan().any()
        assert solution.guide.transition.shape == (*time, states, actions, states)
        assert solution.guide.initial.shape == (states,)
        assert solution.log_evidence_bound_stderr == 0
    else:
        assert solution.soft_value is None
        assert solution.log_evidence_bound_stderr > 0
    if isinstance(method, inference.SVI):
        assert 1 <= len(solution.history["bound"]) <= method.steps
    assert solution.policy is solution.guide.policy
    pyro.poutine.trace(solution.guide).get_trace()


@cases
def test_seeds_settle_everything_and_touch_nothing(method, name: str):
    model, first = MODELS[name], solved(method, name)
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    pyro.get_param_store()["kept"] = torch.ones(1)
    runs = [first, *(infer(model, method, seed=seed, progress=False) for seed in (3, 4))]
    reports = [evaluate(run, model, episodes=20, seed=1) for run in runs[:2]]
    draws = [run.sample(5, seed=2) for run in (runs[0], runs[0])]
    assert random.getstate() == states[0]
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[2])
    assert list(pyro.get_param_store().keys()) == ["kept"]
    pyro.clear_param_store()
    assert_same(runs[0], runs[1])
    assert reports[0].executed_return == reports[1].executed_return
    if isinstance(method, inference.SVI) and (method.estimator or not model.is_tabular):
        assert runs[0].log_evidence_bound != runs[2].log_evidence_bound
    for field in ("states", "actions", "rewards", "alive"):
        assert torch.equal(getattr(draws[0], field), getattr(draws[1], field))
        assert len(getattr(draws[0], field)) == 5
    assert draws[0].returns.shape == (5,)


@cases
def test_what_is_saved_is_what_is_loaded(method, name: str, tmp_path):
    model, solution = MODELS[name], solved(method, name)
    solution.save(tmp_path / "deep" / "solution.pt")
    loaded = load(tmp_path / "deep" / "solution.pt", model)
    assert_same(solution, loaded)
    assert loaded.model is model
    mine, theirs = solution.sample(6, seed=1), loaded.sample(6, seed=1)
    assert torch.equal(mine.states, theirs.states)
    assert torch.equal(mine.rewards, theirs.rewards)
    assert list((tmp_path / "deep").iterdir()) == [tmp_path / "deep" / "solution.pt"]


@pytest.mark.parametrize("estimator", [None, "score", "pyro"])
def test_recipes_are_not_trained(estimator):
    model = MODELS["plain"]
    recipes = [
        TabularPolicy.uniform(3, 2, horizon=3),
        TabularPolicy.uniform(3, 2),
        CategoricalMLP(2, num_states=3, horizon=3, hidden=(4,)),
    ]
    for policy in recipes:
        kept = {name: value.clone() for name, value in policy.state_dict().items()}
        solution = infer(model, inference.SVI(FixedDynamics(policy), estimator=estimator, **QUICK), progress=False)
        assert all(torch.equal(kept[name], value) for name, value in policy.state_dict().items())
        moved = solution.policy.state_dict()
        assert any(not torch.equal(kept[name], moved[name]) for name in kept)
        assert all(parameter.grad is None for parameter in policy.parameters())
