"""What every method promises, on every kind of model it serves."""

import random
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
from gymnasium import spaces

import ppl_control
from ppl_control import (
    DifferentiableMDP,
    LinearGaussianMDP,
    SimulatorMDP,
    TrajectoryModel,
    evaluate,
    infer,
    inference,
    load,
)
from ppl_control.guides import MAP, FixedDynamics, MeanField, OpenLoop, Unconstrained
from ppl_control.guides.plan_guide import NoPolicy
from ppl_control.guides.tabular import TabularGuide
from ppl_control.inference.contracts import ExactMethod, IterativeMethod
from ppl_control.inference.exact.quadratic_value import QuadraticValue
from ppl_control.inference.variational.estimators import continuous, program
from ppl_control.policies import CategoricalMLP, TabularPolicy
from tests.environments import Corridor, Drift
from tests.problems import random_problem
from tests.trajectory.test_from_program import as_program

QUICK = {"steps": 4, "particles": 16}
TABLES = {"plain", "by_outcome", "timed", "endless"}
PROGRAMS = {"program", "branching"}
CONTINUOUS = {"linear", "walk", "choices"}
SIMULATORS = {"corridor", "drift", "cart"}
ALL = TABLES | PROGRAMS | CONTINUOUS
FINITE = (TABLES | PROGRAMS | {"choices"}) - {"endless"}  # a horizon and finitely many actions
EXACT = TABLES | {"linear"}
SVI = inference.SVI
SMALL: dict[str, Any] = {
    "steps": 64, "hidden": (8,), "batch_size": 8, "learning_starts": 8, "compile": False, "episodes": 2
}  # fmt: skip

# kind → (method, the models it serves)
METHODS: dict[str, list[tuple[Any, set[str]]]] = {
    "MessagePassing": [(inference.MessagePassing(), EXACT)],
    "SoftValueIteration": [(inference.SoftValueIteration(), EXACT)],
    "SVI": [
        (SVI(**QUICK), ALL),
        (SVI(Unconstrained(), **QUICK), ALL),
        (SVI(optimizer="adam", **QUICK), ALL),
        (SVI(estimator="score", **QUICK), ALL),
        (SVI(Unconstrained(), estimator="score", **QUICK), ALL),
        (SVI(estimator="pyro", **QUICK), ALL - {"endless"}),
        (SVI(estimator="reparameterised", **QUICK), {"linear", "walk"}),
        (SVI(final_temperature=0.1, **QUICK), ALL - PROGRAMS),
        (SVI(OpenLoop("joint"), **QUICK), FINITE),
        (SVI(OpenLoop("independent"), **QUICK), ALL - {"endless"}),
        (SVI(OpenLoop("gaussian"), **QUICK), {"linear", "walk"}),
        (SVI(OpenLoop("flow"), **QUICK), {"linear", "walk"}),
        (SVI(MeanField(), **QUICK), {"linear", "walk", "plain", "by_outcome", "timed"}),
        (SVI(MAP(), **QUICK), {"linear", "walk", "plain", "by_outcome", "timed"}),
    ],
    "FamilyOptimum": [
        (inference.FamilyOptimum(OpenLoop()), TABLES - {"endless"}),
        (inference.FamilyOptimum(MeanField()), TABLES - {"endless"}),
        (inference.FamilyOptimum(FixedDynamics()), TABLES),
    ],
    "ParticlePlanning": [
        (inference.ParticlePlanning(32), ALL - PROGRAMS - {"endless", "linear"}),
        (inference.ParticlePlanning(32, lookahead="posterior"), EXACT - {"endless"}),
        (inference.ParticlePlanning(32, weighting="fixed_dynamics"), EXACT - {"endless"}),
    ],
    "RecedingHorizon": [
        (inference.RecedingHorizon(SVI(OpenLoop(), **QUICK), episodes=2), ALL - PROGRAMS - {"endless"}),
        (
            inference.RecedingHorizon(inference.ParticlePlanning(16, lookahead="variational"), episodes=2),
            EXACT - {"endless"},
        ),
    ],
    "SoftQLearning": [
        (
            inference.SoftQLearning(steps=160, learning_starts=16, batch_size=8, environments=2, episodes=2),
            TABLES | {"corridor", "cart"},
        ),
    ],
    "SoftPolicyGradient": [
        (
            inference.SoftPolicyGradient(steps=64, environments=2, rollout_length=8, minibatches=2, episodes=2),
            TABLES | SIMULATORS,
        ),
    ],
    "SoftActorCritic": [
        (inference.SoftActorCritic(**SMALL, temperature="model"), SIMULATORS),
        (inference.SoftActorCritic(**SMALL), SIMULATORS),
    ],
}
PROGRAM = random_problem(8, prior="uniform", shared=False, ends=False)
CALM = LinearGaussianMDP([[1.0, 0.1], [0.0, 1.0]], [[0.0], [1.0]], 0.05 * torch.eye(2), torch.eye(2), 1.0,
                         initial_mean=[1.0, 0.0], initial_covariance=0.1 * torch.eye(2))  # fmt: skip
WALK = DifferentiableMDP(
    dist.Normal(torch.zeros(2, dtype=torch.float64), 0.3).to_event(1),
    lambda state, action: dist.Normal(state + 0.5 * action, 0.1).to_event(1),
    lambda state, action, following: -(following**2).sum(-1),
    action_space=spaces.Box(-1.0, 1.0, (2,)),
)
CHOICES = DifferentiableMDP(
    torch.zeros(1),
    lambda state, action: dist.Normal(state + 0.5 * (action[..., None] - 1.0), 0.1).to_event(1),
    lambda state, action: -((state[..., 0] - 1.0) ** 2),
    action_space=spaces.Discrete(3),
    done=lambda state: state[..., 0] > 1.2,
)
MODELS = {
    "linear": TrajectoryModel(CALM, horizon=3),
    "walk": TrajectoryModel(WALK, horizon=3, action_prior="uniform"),
    "choices": TrajectoryModel(CHOICES, horizon=3, discount=0.9, action_prior="uniform"),
    "plain": random_problem(1, prior="uniform", shared=False).model(),
    "by_outcome": random_problem(1, discount=0.8, prior="closed").model(),
    "timed": random_problem(3, prior="timed").model(),
    "endless": random_problem(2, prior="uniform").model().replaced(horizon=None, discount=0.6),
    "program": as_program(PROGRAM),
    "corridor": TrajectoryModel(SimulatorMDP(Corridor), discount=0.9, action_prior="uniform"),
    "drift": TrajectoryModel(SimulatorMDP(Drift), discount=0.9),
    "cart": TrajectoryModel(SimulatorMDP("CartPole-v1"), discount=0.9),
    "branching": as_program(random_problem(8, horizon=1, shared=False, ends=False), batched=False),
}


def serves(method, model: TrajectoryModel) -> bool:
    try:
        method.check(model)
    except ValueError:
        return False
    return True


CASES = [
    pytest.param(method, name, id=f"{kind}{i}-{name}")
    for kind, variants in METHODS.items()
    for i, (method, served) in enumerate(variants)
    for name in MODELS
    if name in served
]
cases = pytest.mark.parametrize(("method", "name"), CASES)


@pytest.fixture(autouse=True)
def final_bounds_from_few_runs(monkeypatch):
    monkeypatch.setattr(continuous, "FINAL_RUNS", 256)
    monkeypatch.setattr(program, "FINAL_RUNS", 256)
    monkeypatch.setattr(program, "FINAL_SINGLE_RUNS", 32)


@lru_cache
def solved(method, name: str):
    return infer(MODELS[name], method, seed=3, progress=False)


def exactly_known(method, name: str) -> bool:
    """Fits whose bound does not hang on the seed: a trajectory's −∞."""
    return isinstance(method.guide, MAP)


def tensors(solution) -> dict[str, torch.Tensor]:
    found = {name: value for name, value in solution.guide.state_dict().items()}
    for name in ("soft_value", "soft_q"):
        value = getattr(solution, name)
        if isinstance(value, QuadraticValue):
            found |= value.__dict__
        elif value is not None:
            found[name] = value
    return found


def assert_same(one, other) -> None:
    for name in ("log_evidence_bound", "log_evidence_bound_stderr", "temperature", "exact", "error_bound"):
        assert getattr(one, name) == getattr(other, name), name
    histories = [{name: tuple(values) for name, values in run.history.items()} for run in (one, other)]
    np.testing.assert_equal(*histories)  # where a number is missing, in both
    here, there = tensors(one), tensors(other)
    assert here.keys() == there.keys()
    assert all(torch.equal(here[name], there[name]) for name in here)


def test_every_method_is_held_to_its_contract():
    named = {
        name
        for name in inference.__all__
        if isinstance(value := getattr(inference, name), type)
        and hasattr(value, "check")
        and Protocol not in value.__bases__  # what a method of one's own has to have
    }
    assert named == METHODS.keys()
    assert named <= set(ppl_control.__all__)


@pytest.mark.parametrize(
    ("method", "served"),
    [c for variants in METHODS.values() for c in variants],
    ids=lambda value: repr(value) if not isinstance(value, set) else "",
)
def test_check_says_who_is_served(method, served: set[str]):
    assert {name for name in MODELS if serves(method, MODELS[name])} == served
    assert isinstance(method, ExactMethod) != isinstance(method, IterativeMethod)


@cases
def test_a_solution_has_all_its_fields(method, name: str):
    model, solution = MODELS[name], solved(method, name)
    point = isinstance(getattr(method, "guide", None), MAP) and model.is_continuous  # no density, no bound
    assert solution.log_evidence_bound == -np.inf if point else np.isfinite(solution.log_evidence_bound)
    if getattr(method, "temperature", None) == "learned":
        assert solution.temperature > 0
    else:
        assert solution.temperature == (getattr(method, "final_temperature", None) or model.temperature)
    assert solution.method == method
    assert solution.model is model
    if model.is_tabular and not isinstance(solution.policy, NoPolicy) and isinstance(solution.guide, TabularGuide):
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
    if isinstance(method, SVI):
        (history,) = solution.history.values()
        assert 1 <= len(history) <= method.steps
    if isinstance(solution.policy, NoPolicy):
        plans = solution.sample_plan(5, seed=1)
        assert plans.shape[:2] == (5, model.horizon)
        assert torch.equal(plans, solution.sample_plan(5, seed=1))
        with pytest.raises(ValueError, match="sample_plan"):
            solution.policy(torch.tensor(0), 0)
    if not (point or isinstance(method, inference.RecedingHorizon)):
        assert solution.policy is solution.guide.policy
        if model.is_simulator:
            with pytest.raises(ValueError, match="sampled only"):
                solution.guide()
        else:
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
    if isinstance(method, SVI) and (method.estimator or (not model.is_tabular and not exactly_known(method, name))):
        assert runs[0].log_evidence_bound != runs[2].log_evidence_bound
    for field in ("states", "actions", "rewards", "alive"):
        assert torch.equal(getattr(draws[0], field), getattr(draws[1], field))
        assert len(getattr(draws[0], field)) == 5
    assert draws[0].returns.shape == (5,)


@cases
def test_what_is_saved_is_what_is_loaded(method, name: str, tmp_path):
    model, solution = MODELS[name], solved(method, name)
    if isinstance(method, inference.RecedingHorizon):
        with pytest.raises(ValueError, match="plans anew"):
            solution.save(tmp_path / "deep" / "solution.pt")
        return
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
