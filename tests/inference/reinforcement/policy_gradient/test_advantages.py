"""Generalised advantages: by hand, by their definition, and across the ends of episodes."""

import pytest
import torch
from torch import nn

from ppl_control import SimulatorMDP, TrajectoryModel
from ppl_control.inference.reinforcement.policy_gradient.advantages import generalised_advantages
from ppl_control.inference.reinforcement.policy_gradient.rollout import play
from ppl_control.inference.reinforcement.policy_gradient.update import batch_of
from ppl_control.policies import TabularPolicy
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.worlds import Worlds
from tests.environments import Corridor


def test_by_hand():
    """γ = 0.5, λ = 0.8: δ = (1 + 1 − 3, 2 + 2 − 2, 3 + 0 − 4) = (−1, 2, −1), so A = (−1 + 0.4 · 1.6, 2 − 0.4, −1)."""
    column = lambda *numbers: torch.tensor(numbers)[:, None]  # noqa: E731
    found = generalised_advantages(
        column(1.0, 2.0, 3.0),
        column(3.0, 2.0, 4.0),
        column(2.0, 4.0, 100.0),
        column(False, False, True),
        column(False, False, True),
        discount=0.5,
        gae_lambda=0.8,
    )
    assert found[:, 0].tolist() == pytest.approx([-0.36, 1.6, -1.0])


@pytest.mark.parametrize("gae_lambda", [0.0, 0.7, 1.0])
def test_by_definition(gae_lambda):
    random = torch.Generator().manual_seed(0)
    length, n, discount = 12, 5, 0.9
    reward, value, ahead = (torch.randn(length, n, generator=random, dtype=torch.float64) for _ in range(3))
    terminated = torch.rand(length, n, generator=random) < 0.15
    ended = terminated | (torch.rand(length, n, generator=random) < 0.15)
    found = generalised_advantages(reward, value, ahead, terminated, ended, discount=discount, gae_lambda=gae_lambda)
    assert bool(terminated.any())
    assert bool((ended & ~terminated).any())
    for i in range(n):
        for t in range(length):
            total, k = 0.0, t
            while True:
                following = 0.0 if terminated[k, i] else discount * ahead[k, i]
                total += (discount * gae_lambda) ** (k - t) * (reward[k, i] + following - value[k, i])
                if ended[k, i] or k == length - 1:
                    break
                k += 1
            assert float(found[t, i]) == pytest.approx(float(total), abs=1e-12)


class TenMore(nn.Module):
    """V(s, t) = 10 + s."""

    def forward(self, state, t=None):
        return 10.0 + state


def advantages(*, length: int, horizon: int | None = None, steps: int = 2, **corridor) -> list[float]:
    """Of a walker who always moves, γ = 0.5, λ = 1; the rewards are −1."""
    mdp = SimulatorMDP(Corridor, length=length, **corridor)
    model = TrajectoryModel(mdp, discount=0.5, temperature=0.3, horizon=horizon)
    policy = TabularPolicy(torch.tensor([-torch.inf, 0.0]).expand(length + 1, 2))
    worlds = Worlds(mdp, 1, 0, horizon)
    with RandomStream(0):
        rollout = play(model, policy, worlds, (start := worlds.observation * 0), steps)
    assert start.tolist() == [steps % (horizon or 2)]
    assert rollout.choice.abs().max() == 0
    return batch_of(model, TenMore(), rollout, 1.0).advantage.tolist()


def test_termination_is_worth_nothing():
    assert advantages(length=2) == pytest.approx([-1 - 0.5 - 10, -1 - 11])


def test_truncation_is_worth_the_last_observation():
    assert advantages(length=3, limit=2) == pytest.approx([-1 - 0.5 + 0.25 * 12 - 10, -1 + 0.5 * 12 - 11])


def test_the_end_of_the_rows_is_worth_the_next_observation():
    assert advantages(length=9, limit=3, steps=1) == pytest.approx([-1 + 0.5 * 11 - 10])


def test_nothing_follows_the_last_decision_of_a_horizon():
    assert advantages(length=3, horizon=2) == pytest.approx([-1 - 0.5 - 10, -1 - 11])


def test_a_row_does_not_look_into_the_next_episode():
    once, twice = advantages(length=2), advantages(length=2, steps=4)
    assert twice == pytest.approx(once + once)
