"""Families of one's own: an exact one on tables, and plans; they get what the library's own families get."""

from __future__ import annotations

import math
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyro.distributions as dist
import pytest
import torch
from torch import Tensor, nn

from ppl_control import SVI, MessagePassing, SoftValueIteration, TrajectoryModel, compare, evaluate, guides, infer
from ppl_control.guides.plans import IndependentPlan
from ppl_control.inference import FamilyOptimum
from tests.problems import random_problem

MODEL = random_problem(1, prior="uniform", shared=False).model()
BY_OUTCOME = random_problem(1, discount=0.8, prior="closed").model()
ENDLESS = random_problem(2, prior="uniform").model().replaced(horizon=None, discount=0.6)
MODELS = pytest.mark.parametrize("model", [MODEL, BY_OUTCOME, ENDLESS], ids=["plain", "by outcome", "endless"])
ADAM = {"steps": 60, "learning_rate": 0.3}


class Hopeful(guides.TabularGuide):
    """Luck as one number a place, the silent end too: q(outcome|s,a) ∝ p(outcome|s,a) exp(hope(s'))."""

    def __init__(self, model: TrajectoryModel, slope: float) -> None:
        super().__init__(model, guides.FixedDynamics().build(model).policy)
        self.hope = nn.Parameter(slope * torch.arange(model.tables.num_states + 1, dtype=torch.float64))

    def tables(self) -> guides.GuideTables:
        own, model = super().tables(), self.model.tables
        believed = torch.log_softmax(model.log_p + self.hope[model.successor], -1)
        times = () if model.horizon is None else (model.horizon,)
        return replace(own, outcomes=believed.expand(*times, *believed.shape))


@dataclass(frozen=True)
class Hope:
    """The recipe."""

    slope: float = 0.0

    def build(self, model: TrajectoryModel) -> Hopeful:
        return Hopeful(model, self.slope)


def test_recipes_are_known_by_their_part():
    assert isinstance(Hope(), guides.Recipe)
    assert not isinstance(Hopeful(MODEL, 0.0), guides.Recipe)


@MODELS
def test_an_exact_family_lies_between_its_neighbours(model: TrajectoryModel):
    fitted = infer(model, SVI(Hope(), **ADAM), progress=False)
    honest, evidence = (infer(model, way).log_evidence_bound for way in (SoftValueIteration(), MessagePassing()))
    assert fitted.log_evidence_bound_stderr == 0
    assert honest + 1e-4 < fitted.log_evidence_bound <= evidence + 1e-9
    assert float(fitted.guide.hope.std()) > 0.05
    assert abs(evaluate(fitted, model).optimism) > 1e-4  # it believes in something


def test_without_hope_it_is_the_honest_family():
    guide = Hopeful(MODEL, 0.0)
    fixed = guides.FixedDynamics().build(MODEL)
    assert (guide.fixes_dynamics, fixed.fixes_dynamics) == (False, True)
    torch.testing.assert_close(guide.transition, fixed.transition)
    assert infer(MODEL, SVI(guides.FixedDynamics())).guide.fixes_dynamics


@pytest.mark.parametrize("model", [MODEL, BY_OUTCOME], ids=["plain", "by outcome"])
@pytest.mark.parametrize("estimator", ["score", "pyro"])
def test_sampled_estimators_see_the_same_beliefs(model: TrajectoryModel, estimator: str):
    """The first bound of a fit is that of the start, which the exact estimator reports too."""
    recipe, n = Hope(2.0), 1000

    def start(recipe: Hope, seed: int = 0, **settings: Any) -> float:
        return infer(model, SVI(recipe, steps=1, **settings), progress=False, seed=seed).history["bound"][0]

    exact, honest = start(recipe), start(Hope())
    draws = [start(recipe, seed, particles=n, estimator=estimator) for seed in range(5)]
    found = torch.tensor(draws)
    error = float(found.std()) / math.sqrt(len(draws))
    assert abs(float(found.mean()) - exact) < 5 * error
    assert abs(honest - exact) > 10 * error  # else this could not fail


def test_pyro_fits_it_too():
    exact = infer(MODEL, SVI(Hope(), **ADAM), progress=False)
    sampled = infer(MODEL, SVI(Hope(), **ADAM, particles=64, estimator="pyro"), progress=False)
    assert sampled.log_evidence_bound_stderr == 0  # reported exactly, whatever it was fitted with
    assert sampled.log_evidence_bound == pytest.approx(exact.log_evidence_bound, abs=0.03)


def test_the_natural_gradient_leaves_it_alone():
    assert len(infer(MODEL, SVI(Hope(), steps=2), progress=False).history["bound"]) == 2
    with pytest.raises(ValueError, match=r"optimizer: 'natural' needs .* a guide of the library's"):
        infer(MODEL, SVI(Hope(), optimizer="natural"))


def test_its_checkpoint_goes_on(tmp_path):
    fit = SVI(Hope(), steps=8)
    whole = infer(MODEL, fit, progress=False)
    stopped = {"callbacks": [lambda step: step.number == 3], "checkpoint": tmp_path / "run.pt"}
    assert not infer(MODEL, fit, progress=False, **stopped).finished
    again = infer(MODEL, fit, progress=False, checkpoint=tmp_path / "run.pt")
    assert again.log_evidence_bound == whole.log_evidence_bound
    assert torch.equal(again.guide.hope, whole.guide.hope)
    with pytest.raises(ValueError, match="belongs to another run: guide"):
        infer(MODEL, SVI(Hope(0.5), steps=8), progress=False, checkpoint=tmp_path / "run.pt")


def test_its_numbers_are_saved_and_loaded(tmp_path):
    solution = infer(MODEL, SVI(Hope(), **ADAM), progress=False)
    with pytest.raises(ValueError, match="a Hopeful cannot be saved; save its state_dict"):
        solution.save(tmp_path / "solution.pt")
    torch.save(solution.guide.state_dict(), tmp_path / "hope.pt")
    loaded = Hope().build(MODEL)
    loaded.load_state_dict(torch.load(tmp_path / "hope.pt", weights_only=True))
    for mine, theirs in zip(vars(solution.guide.tables()).values(), vars(loaded.tables()).values(), strict=True):
        assert mine is theirs or torch.equal(mine, theirs)
    passed = pickle.loads(pickle.dumps(solution))
    assert torch.equal(passed.sample(5, seed=1).states, solution.sample(5, seed=1).states)


def test_two_workers_compare_it():
    methods = {"hope": SVI(Hope(), steps=5), "fixed": SVI(guides.FixedDynamics(), steps=5)}
    one, two = (
        compare(MODEL, methods, seeds=(0, 1), workers=workers).table.drop(columns="seconds") for workers in (1, 2)
    )
    assert one.equals(two)


class Chain(nn.Module):
    """A plan in which each action hangs on the one before: more than independent actions, less than all sequences."""

    def __init__(self, horizon: int, num_actions: int) -> None:
        super().__init__()
        self.horizon, self.num_actions = horizon, num_actions
        self.first = nn.Parameter(torch.zeros(num_actions, dtype=torch.float64))
        self.then = nn.Parameter(torch.zeros(horizon, num_actions, num_actions, dtype=torch.float64))

    def conditional(self, t: int, past: Sequence[Tensor]) -> dist.Categorical:
        return dist.Categorical(logits=self.first if t == 0 else self.then[t][past[-1]])

    def forward(self) -> Drawn:
        return Drawn(self)


class Drawn:
    """What ``sample_plan`` needs of a plan's distribution."""

    def __init__(self, plan: Chain) -> None:
        self.plan = plan

    def sample(self, shape: Sequence[int]) -> Tensor:
        past: list[Tensor] = []
        for t in range(self.plan.horizon):
            q = self.plan.conditional(t, past)
            past.append(q.sample(torch.Size(shape)) if t == 0 else q.sample())
        return torch.stack(past, -1)


def test_a_plan_of_ones_own_lies_between_its_neighbours():
    """Two steps of a chain are all sequences of two actions, so that the joint plan's optimum is its own."""
    model = random_problem(1, horizon=2, temperature=0.1, prior="uniform", shared=False).model()
    plan = Chain(2, 2)
    fitted = infer(model, SVI(guides.OpenLoop(plan), steps=100, learning_rate=0.3, particles=64), progress=False)
    best = infer(model, FamilyOptimum(guides.OpenLoop("joint"))).log_evidence_bound
    apart = 4 * fitted.log_evidence_bound_stderr
    assert abs(fitted.log_evidence_bound - best) < apart + 0.01
    start = infer(model, SVI(guides.OpenLoop("joint"), steps=1), progress=False).history["bound"][0]
    assert best - start > 2 * apart  # the fit went somewhere
    assert bool((plan.then == 0).all())  # the caller's plan is not trained
    assert fitted.sample_plan(7, seed=0).shape == (7, 2)


def test_a_plan_of_ones_own_is_carried_out():
    """Fixed numbers: what is believed and executed by sampling agrees with the same plan, enumerated."""
    plan, known = Chain(3, 2), torch.tensor([0.5, -0.5], dtype=torch.float64)
    with torch.no_grad():
        plan.first.copy_(known)
        plan.then.copy_(known)  # whatever was done before: a plan of independent actions after all
    settings = {"steps": 1, "learning_rate": 1e-12, "optimizer": "adam"}
    mine, theirs = (
        infer(MODEL, SVI(guides.OpenLoop(p), **settings), progress=False)
        for p in (plan, IndependentPlan(known.expand(3, 2)))
    )
    sampled, exact = (evaluate(found, MODEL, episodes=4000) for found in (mine, theirs))
    for name in ("believed_return", "executed_return"):
        error = getattr(sampled, f"{name}_stderr")
        assert error > 0
        assert abs(getattr(sampled, name) - getattr(exact, name)) < 4 * error
    assert abs(mine.log_evidence_bound - theirs.log_evidence_bound) < 4 * mine.log_evidence_bound_stderr


def test_a_plan_of_ones_own_cannot_be_enumerated():
    with pytest.raises(ValueError, match=r"estimator: 'enumerate' needs .* got PlanGuide .*; use 'score' or 'pyro'"):
        infer(MODEL, SVI(guides.OpenLoop(Chain(3, 2)), estimator="enumerate"))
