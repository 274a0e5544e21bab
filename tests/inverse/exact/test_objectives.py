"""The objectives, their gradients and their Hessians, against plain loops and finite differences."""

import numpy as np
import pytest
import torch

from ppl_control import TabularMDP, TrajectoryModel
from ppl_control.inverse import LinearReward, TabularReward
from ppl_control.inverse.demonstrations.counting import count
from ppl_control.inverse.exact.curvature import curvature
from ppl_control.inverse.exact.objectives import OBJECTIVES
from ppl_control.inverse.world import make_world
from tests.inverse import plain
from tests.oracles import assert_oracle, read
from tests.problems import each_problem, label

TINY = read("inverse_tiny")
each_objective = pytest.mark.parametrize("objective", OBJECTIVES)
each = pytest.mark.parametrize("problem", each_problem(), ids=label)


def value_and_slope(objective, model, demonstrations, reward):
    world = make_world(model)
    found = OBJECTIVES[objective](world, count(world, demonstrations), world.pay(reward))
    (slope,) = torch.autograd.grad(found, list(reward.parameters()))
    return found.item(), slope


def with_table(problem, of, seed=0):
    reward = TabularReward(problem.num_states, problem.num_actions, of)
    generator = torch.Generator().manual_seed(seed)
    reward.table.data = torch.randn(reward.table.shape, generator=generator, dtype=torch.float64)
    return reward


@each_objective
def test_oracle(objective):
    mdp = TabularMDP(torch.eye(3)[TINY["s0"]], TINY["P"], torch.zeros(3, 2))
    model = TrajectoryModel(mdp, horizon=TINY["T"], temperature=TINY["alpha"])
    walks = [list(zip(states[:-1], actions, states[1:], strict=True)) for states, actions in TINY["demos"]]
    reward = TabularReward(3, 2)
    reward.table.data = torch.tensor(TINY["theta"], dtype=torch.float64)
    value, slope = value_and_slope(objective, model, walks, reward)
    names = {
        "conditional": ("loglik_causal_sum_log_pi", "grad_exact_of_sum_log_pi"),
        "dual": ("dual_objective", "grad_feature_matching_causal"),
        "trajectory": ("loglik_maxent_trajectory", "grad_maxent"),
    }[objective]
    assert_oracle(value, TINY[names[0]])
    assert_oracle(slope, TINY[names[1]])


@each
@each_objective
@pytest.mark.parametrize("of", ["state_action", "outcome"])
def test_value_and_gradient_are_those_of_plain_loops(problem, objective, of):
    walks, reward = plain.demonstrations(problem, 6), with_table(problem, of)
    value, slope = value_and_slope(objective, problem.model(), walks, reward)
    table = reward.table.detach().numpy()

    def loops(table):
        whole = table if table.ndim == 3 else np.repeat(table[..., None], problem.num_states, -1)
        return plain.objective(objective, problem, whole, walks)

    assert value == pytest.approx(loops(table), rel=1e-10, abs=1e-12)
    np.testing.assert_allclose(slope.numpy(), plain.slope(loops, table), atol=1e-6)


@each
@each_objective
def test_hessian_is_the_derivative_of_the_gradient(problem, objective):
    n, a = problem.num_states, problem.num_actions
    features = torch.randn(n, a, n, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    reward, walks, model = (
        LinearReward(features, weights=[0.3, -0.2, 0.5]),
        plain.demonstrations(problem, 6),
        problem.model(),
    )
    world = make_world(model)
    counts = count(world, walks)
    found = curvature(objective, world, counts, world.pay(reward).detach(), world.features(reward))
    columns = []
    for k in range(3):
        ends = []
        for step in (1e-5, -1e-5):
            moved = LinearReward(features, weights=reward.weights.detach() + step * torch.eye(3)[k])
            ends.append(value_and_slope(objective, model, walks, moved)[1])
        columns.append((ends[0] - ends[1]) / 2e-5)
    torch.testing.assert_close(found.hessian, len(walks) * torch.stack(columns), rtol=1e-6, atol=1e-6)


@each
@each_objective
def test_scores_add_up_to_the_gradient(problem, objective):
    """With one trajectory (or decision) at a time the outer product of scores is that of the gradient."""
    reward, walk = with_table(problem, "outcome"), plain.demonstrations(problem, 5)
    walk = next((w for w in walk if len(w) == 1), walk[0][:1])
    walk = [(s, a, s2, ended) for s, a, s2, ended in walk]
    world = make_world(problem.model())
    counts = count(world, [walk])
    found = curvature(objective, world, counts, world.pay(reward).detach(), world.features(reward))
    slope = value_and_slope(objective, problem.model(), [walk], reward)[1].flatten()
    torch.testing.assert_close(found.scores, torch.outer(slope, slope), rtol=1e-8, atol=1e-10)
