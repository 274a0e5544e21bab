"""Without a horizon: fixed points, differentiated implicitly."""

import numpy as np
import pytest
import torch

from ppl_control import MessagePassing, SoftValueIteration, TrajectoryModel, infer
from ppl_control.inverse import LinearReward, TabularReward, expected_counts
from ppl_control.inverse.demonstrations.counting import count
from ppl_control.inverse.exact.curvature import curvature
from ppl_control.inverse.exact.objectives import OBJECTIVES
from ppl_control.inverse.world import make_world
from tests.inverse import plain
from tests.problems import random_problem

each_objective = pytest.mark.parametrize("objective", OBJECTIVES)
each_seed = pytest.mark.parametrize("seed", range(4))


def endless(seed, discount=0.8):
    """A random world without a horizon, and walks in it, some of them cut off."""
    problem = random_problem(seed, states=4, actions=3, horizon=6, ends=bool(seed % 2), discount=discount)
    model = TrajectoryModel(problem.mdp(), temperature=3.0, discount=discount, action_prior="uniform")
    return model, plain.demonstrations(problem, 8, seed)


def ascent(objective, world, counts, reward):
    found = OBJECTIVES[objective](world, counts, world.pay(reward))
    (slope,) = torch.autograd.grad(found, list(reward.parameters()))
    return found.item(), slope


@each_seed
@each_objective
def test_gradient_is_that_of_finite_differences(objective, seed):
    model, walks = endless(seed)
    reward = TabularReward(4, 3, "outcome")
    reward.table.data = 0.3 * torch.randn(4, 3, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    world = make_world(model)
    counts = count(world, walks)
    start = reward.table.detach().clone()
    _, slope = ascent(objective, world, counts, reward)

    def value(table):
        reward.table.data = torch.as_tensor(table)
        return ascent(objective, world, counts, reward)[0]

    np.testing.assert_allclose(slope.numpy(), plain.slope(value, start.numpy(), 1e-4), atol=1e-6)


@each_seed
@each_objective
def test_values_are_those_of_the_methods(objective, seed):
    """The dual and the trajectory objective of one state's visits are read off from the solutions of infer."""
    model, walks = endless(seed)
    world = make_world(model)
    reward = TabularReward(4, 3, "outcome")
    reward.table.data = 0.3 * torch.randn(4, 3, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    paid = model.replaced(mdp=model.mdp.with_reward(reward))
    exact = infer(paid, MessagePassing() if objective == "trajectory" else SoftValueIteration())
    log_policy = torch.log_softmax(exact.soft_q / model.temperature + world.tables.log_prior, -1)
    value = exact.soft_value / model.temperature
    total = 0.0
    for walk in walks:
        ended, last = walk[-1][3], walk[-1][2]
        if objective == "conditional":
            total += sum(log_policy[s, a].item() for s, a, _, _ in walk)
            continue
        fade = model.discount if objective == "dual" else 1.0
        total += sum(fade**t * reward.table[s, a, n].item() / 3.0 for t, (s, a, n, _) in enumerate(walk))
        total += 0.0 if ended else fade ** len(walk) * value[last].item()
        total -= value[walk[0][0]].item() if objective == "dual" else exact.log_evidence_bound
    counts = count(world, walks)
    found, _ = ascent(objective, world, counts, reward)
    more = counts.log_density if objective == "trajectory" else 0.0
    assert found == pytest.approx((total + more) / len(walks), rel=1e-9)


@each_seed
@each_objective
def test_hessian_is_the_derivative_of_the_gradient(objective, seed):
    model, walks = endless(seed)
    features = 0.3 * torch.randn(4, 3, 4, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    world = make_world(model)
    counts = count(world, walks)
    reward = LinearReward(features, weights=[0.4, -0.3])
    found = curvature(objective, world, counts, world.pay(reward).detach(), world.features(reward))
    columns = []
    for k in range(2):
        ends = [
            ascent(objective, world, counts, LinearReward(features, weights=reward.weights.detach() + step * unit))[1]
            for step in (1e-4, -1e-4)
            for unit in [torch.eye(2)[k]]
        ]
        columns.append((ends[0] - ends[1]) / 2e-4)
    torch.testing.assert_close(found.hessian, len(walks) * torch.stack(columns), rtol=1e-5, atol=1e-5)


@each_seed
def test_objectives_agree_on_what_infinitely_many_demonstrations_show(seed):
    """Their own optimum: no gradient at the truth for conditional and dual; the Hessians of both are the same."""
    model, _ = endless(seed)
    features = torch.randn(4, 3, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    truth = LinearReward(features, weights=[0.7, -0.4])
    model = model.replaced(mdp=model.mdp.with_reward(truth))
    world, counts = make_world(model), expected_counts(infer(model, SoftValueIteration()), model)
    curved = []
    for objective in ("conditional", "dual"):
        assert ascent(objective, world, counts, truth)[1].abs().max() < 1e-9
        curved.append(curvature(objective, world, counts, world.pay(truth).detach(), world.features(truth)).hessian)
    torch.testing.assert_close(*curved, rtol=1e-8, atol=1e-10)


def test_survival_that_was_drawn_is_not_discounted_again():
    """Where the discount was drawn, the dual of many trajectories nears that of the exact visits."""
    model, _ = endless(0)
    reward = TabularReward(4, 3)
    reward.table.data = torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    solution = infer(model.replaced(mdp=model.mdp.with_reward(reward)), SoftValueIteration())
    world = make_world(model)
    drawn = ascent("dual", world, count(world, solution.sample(20_000)), reward)
    exact = ascent("dual", world, expected_counts(solution, model), reward)
    assert exact[1].abs().max() < 1e-9
    assert drawn[1].abs().max() < 0.03
    assert drawn[0] == pytest.approx(exact[0], abs=0.03)
