"""Inverse RL against its floor: one objective and gradient at 400 states, 100 steps, 4 actions, 5 successors.

The floor is the recursion and the occupancy count on dense matrices as one writes them in numpy.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from ppl_control import SoftValueIteration, TabularMDP, TrajectoryModel, infer
from ppl_control.inverse import LinearReward
from ppl_control.inverse.demonstrations.counting import count
from ppl_control.inverse.exact.objectives import OBJECTIVES
from ppl_control.inverse.world import make_world
from tests.benchmarks.test_speed import medians

S, A, K, T, FEATURES = 400, 4, 5, 100, 8
IN_A_ROW = 5  # evaluations, as an ascent makes them


@pytest.fixture(scope="module")
def model() -> TrajectoryModel:
    generator = torch.Generator().manual_seed(0)
    successor = torch.randint(S, (S, A, K), generator=generator)
    chance = torch.rand(S, A, K, generator=generator, dtype=torch.float64)
    chance /= chance.sum(-1, keepdim=True)
    transition = torch.zeros(S, A, S, dtype=torch.float64).scatter_add_(-1, successor, chance)
    reward = torch.randn(S, A, generator=generator, dtype=torch.float64)
    return TrajectoryModel(TabularMDP(torch.full((S,), 1 / S), transition, reward), horizon=T)


def dense_numpy(
    model: TrajectoryModel, features: np.ndarray, weights: np.ndarray, met: np.ndarray, starts: np.ndarray
) -> Callable[[], tuple[float, np.ndarray]]:
    """The dual's value and gradient, plainly: V backward, occupancies forward, features counted."""
    out = model.mdp.outcomes
    transition = np.zeros((S, A, S))
    np.add.at(transition, (np.arange(S)[:, None, None], np.arange(A)[:, None], out.next_state), out.probability.numpy())

    def evaluate() -> tuple[float, np.ndarray]:
        reward = features @ weights
        value, policy = np.zeros(S), np.zeros((T, S, A))
        for t in range(T - 1, -1, -1):
            q = reward + transition @ value
            top = q.max(-1)
            value = top + np.log(np.exp(q - top[:, None]).sum(-1))
            policy[t] = np.exp(q - value[:, None])
        occupancy, total = starts, np.zeros((S, A))
        for t in range(T):
            joint = occupancy[:, None] * policy[t]
            total += joint
            occupancy = joint.reshape(-1) @ transition.reshape(-1, S)
        slope = np.einsum("sa,sak->k", met - total, features)
        return float((met * reward).sum() - starts @ value), slope

    return evaluate


def in_a_row(run: Callable[[], object]) -> Callable[[], None]:
    def several() -> None:
        for _ in range(IN_A_ROW):
            run()

    return several


def test_objective_and_gradient_against_dense_numpy(benchmark, model):
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(S, A, FEATURES, generator=generator, dtype=torch.float64)
    weights = 0.1 * torch.randn(FEATURES, generator=generator, dtype=torch.float64)
    reward, world = LinearReward(features, weights=weights), make_world(model)
    counts = count(world, infer(model, SoftValueIteration()).sample(1000))

    def ours(objective: str):
        def evaluate() -> tuple[float, np.ndarray]:
            found = OBJECTIVES[objective](world, counts, world.pay(reward))
            (slope,) = torch.autograd.grad(found, [reward.weights])
            return found.item(), slope.numpy()

        return evaluate

    met = counts.outcomes.sum(-1).numpy() / counts.trajectories
    plain = dense_numpy(model, features.numpy(), weights.numpy(), met, counts.starts.numpy() / counts.trajectories)
    for found, expected in zip(ours("dual")(), plain(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    runs = {name: ours(name) for name in OBJECTIVES} | {"numpy": plain}
    together = medians({name: in_a_row(run) for name, run in runs.items()}, rounds=15)
    measured = {name: seconds / IN_A_ROW for name, seconds in together.items()}
    for name in OBJECTIVES:
        ratio = measured["numpy"] / measured[name]
        mine, floor = 1e3 * measured[name], 1e3 * measured["numpy"]
        print(f"\n{name}: {mine:.1f} ms, {ratio:.1f} times faster than numpy's {floor:.1f}")
    benchmark(ours("conditional"))
    assert measured["numpy"] / measured["conditional"] >= 8
    assert measured["numpy"] / measured["dual"] >= 8
