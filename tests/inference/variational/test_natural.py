"""SVI's default settings on tabular models: the natural gradient of a table."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from ppl_control import SVI, MessagePassing, SoftValueIteration, TrajectoryModel, evaluate, infer
from ppl_control.guides import FixedDynamics, Unconstrained
from ppl_control.inference import messages
from ppl_control.models import frozen_lake, hiking, lottery
from tests import brute_force
from tests.problems import Problem, problems

WORKED = {
    "lottery": lottery.model(),
    "hiking": hiking.model(),
    "calm_hiking": hiking.model(noise=0.0),
    "frozen_lake": frozen_lake.model(),
}
worked = pytest.mark.parametrize("model", WORKED.values(), ids=WORKED.keys())


@worked
def test_fixed_dynamics_reaches_the_best_bound(model: TrajectoryModel):
    best = infer(model, SoftValueIteration()).log_evidence_bound
    solution = infer(model, SVI(FixedDynamics()), progress=False)
    assert best - 1e-3 <= solution.log_evidence_bound <= best + 1e-9 * (1 + abs(best))


@worked
def test_unconstrained_reaches_the_evidence_and_the_posterior_dynamics(model: TrajectoryModel):
    exact = infer(model, MessagePassing())
    solution = infer(model, SVI(Unconstrained()), progress=False)
    evidence = exact.log_evidence_bound
    assert evidence - 1e-2 <= solution.log_evidence_bound <= evidence + 1e-9 * (1 + abs(evidence))
    visited = messages(model).state_actions > 1e-6
    distance = (solution.guide.transition - exact.guide.transition).abs().sum(-1) / 2
    assert float(distance[visited].max()) <= 1e-2
    first = (solution.guide.initial - exact.guide.initial).abs().sum() / 2
    assert float(first) <= 1e-2


@worked
@pytest.mark.parametrize("recipe", [FixedDynamics(), Unconstrained()], ids=repr)
def test_no_mass_where_the_model_has_none(model: TrajectoryModel, recipe):
    guide = infer(model, SVI(recipe), progress=False).guide
    tables, q = model.tables, guide.tables()
    if q.outcomes is not None:
        assert bool((q.outcomes.exp()[:, tables.outcomes.probability == 0] == 0).all())
        assert bool((q.initial.exp()[tables.initial == 0] == 0).all())
    possible = torch.zeros_like(guide.transition[0])
    outcomes = model.mdp.outcomes
    possible.scatter_add_(-1, outcomes.next_state, outcomes.probability)
    assert bool((guide.transition[:, possible == 0] == 0).all())


@settings(max_examples=15)
@given(problem=problems())
def test_each_step_is_one_of_soft_policy_iteration(problem: Problem):
    """After k steps the last k decisions are the soft-optimal ones, and T steps are enough."""
    model, horizon = problem.model(), problem.horizon
    exact = infer(model, SoftValueIteration())
    target = exact.guide.tables().policy.exp()
    for steps in range(1, horizon + 1):
        guide = infer(model, SVI(steps=steps), progress=False).guide
        late = slice(horizon - steps, horizon)
        found = guide.tables().policy.exp()[late]
        torch.testing.assert_close(found, target[late], rtol=1e-9, atol=1e-12)
    bound = infer(model, SVI(steps=horizon), progress=False).log_evidence_bound
    assert bound == pytest.approx(brute_force.best_elbo(problem), rel=1e-9, abs=1e-12)


@settings(max_examples=15)
@given(problem=problems())
def test_unconstrained_is_exact_after_one_step_more(problem: Problem):
    """The first state is one more conditional to get right."""
    model = problem.model()
    method = SVI(Unconstrained(), steps=problem.horizon + 1)
    found = infer(model, method, progress=False).log_evidence_bound
    assert found == pytest.approx(brute_force.log_evidence(problem), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("rate", [1.0, 0.5])
@pytest.mark.parametrize("recipe", [FixedDynamics(), Unconstrained()], ids=repr)
def test_the_bound_never_falls_and_arrives(recipe, rate: float):
    model = hiking.model()
    method = SoftValueIteration() if recipe == FixedDynamics() else MessagePassing()
    optimum = infer(model, method).log_evidence_bound
    solution = infer(model, SVI(recipe, steps=100, learning_rate=rate), progress=False)
    assert np.diff(solution.history["bound"]).min() >= -1e-9
    assert solution.log_evidence_bound == pytest.approx(optimum, abs=1e-6)


def test_a_rate_above_one_overshoots_and_is_refused():
    with pytest.raises(ValueError, match=r"learning_rate.*1\.5"):
        infer(hiking.model(), SVI(learning_rate=1.5), progress=False)


def test_it_stops_when_it_has_arrived():
    model = hiking.model()
    solution = infer(model, SVI(steps=1000), progress=False)
    assert len(solution.history["bound"]) <= model.horizon + 2


def test_without_a_horizon_it_is_soft_policy_iteration_too():
    model = frozen_lake.model().replaced(horizon=None, discount=0.95, temperature=0.1)
    exact = infer(model, SoftValueIteration())
    solution = infer(model, SVI(), progress=False)
    assert solution.log_evidence_bound == pytest.approx(exact.log_evidence_bound, rel=1e-9)
    torch.testing.assert_close(solution.soft_value, exact.soft_value, rtol=1e-8, atol=1e-12)


def test_without_a_horizon_the_posterior_is_reached_and_the_model_left_alone():
    lake = frozen_lake.model(temperature=0.1, action_prior="uniform")
    model = lake.replaced(horizon=None, discount=0.95)
    before = model.tables.log_p.clone()
    evidence = infer(model, MessagePassing()).log_evidence_bound
    posterior = infer(model, SVI(Unconstrained()), progress=False)
    assert torch.equal(model.tables.log_p, before)
    assert posterior.log_evidence_bound == pytest.approx(evidence, rel=1e-9)


def test_the_optimism_of_fixed_dynamics_is_zero_by_separate_computation():
    """Executing in another world changes what it gets, not what it believes: the two are computed apart."""
    model, storm = hiking.model(), hiking.model(noise=0.5)
    for method in (SoftValueIteration(), SVI(FixedDynamics())):
        solution = infer(model, method, progress=False)
        at_home, away = evaluate(solution, model), evaluate(solution, storm)
        assert abs(at_home.optimism) < 1e-9
        assert away.believed_return == at_home.believed_return
        assert away.optimism > 1.0
