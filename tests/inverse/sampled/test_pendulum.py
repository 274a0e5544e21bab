"""Ten expert swings teach the reward of the pendulum, on every seed."""

import numpy as np
import pytest
import torch

from ppl_control import SimulatorMDP, SoftActorCritic, TrajectoryModel, evaluate, infer
from ppl_control.inverse import LinearReward, MLPReward
from ppl_control.inverse.sampled import SampledMaxEntIRL
from ppl_control.policies import SquashedGaussianMLP
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.simulation import simulate

TRUE = TrajectoryModel(SimulatorMDP("Pendulum-v1"), discount=0.99)


def network():
    return MLPReward(state_dim=3, action_dim=1, state_scale=(1.0, 1.0, 8.0), action_scale=2.0)


def features(state, action, next_state):
    upright, _, speed = state.unbind(-1)
    return torch.stack([upright, upright**2, state[..., 1], (speed / 8) ** 2, (action[..., 0] / 2) ** 2], -1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("reward", "form", "temperature", "correlation"),
    [
        (network(), "importance", 0.1, 0.8),
        (LinearReward(features, num_features=5), "importance", 1.0, 0.8),
        (network(), "adversarial", 1.0, 0.0),
    ],
    ids=["importance", "features", "adversarial"],
)
def test_the_learned_policy_is_nearly_the_experts(seed, reward, form, temperature, correlation):
    expert = infer(TRUE, SoftActorCritic(steps=5000, hidden=(64, 64), compile=False), seed=seed, progress=False)
    demonstrations = expert.sample(10, seed=500 + seed)
    model = TRUE.replaced(temperature=temperature)
    fit = SampledMaxEntIRL(reward, form=form).fit(model, demonstrations, seed=seed, progress=False)
    best, learned = (
        evaluate(solution, TRUE, episodes=30, seed=5000 + seed, deterministic=True).episode_return
        for solution in (expert, fit.solution)
    )
    with RandomStream(900 + seed):
        aimless = simulate(TRUE, SquashedGaussianMLP(num_features=3, action_dim=1, low=-2.0, high=2.0), 30)
    worst = float(aimless.whole_returns.mean())
    assert learned - worst > 0.9 * (best - worst)

    states = torch.cat([*demonstrations.states[:, :-1], *(one[:-1] for one in aimless.states[:10])])
    actions = torch.cat([*demonstrations.actions, *aimless.actions[:10]])
    following = torch.cat([*demonstrations.states[:, 1:], *(one[1:] for one in aimless.states[:10])])
    true = torch.cat([*demonstrations.rewards, *aimless.rewards[:10]])
    with torch.no_grad():
        paid = fit.reward(states, actions, following)
    assert np.corrcoef(paid, true)[0, 1] > correlation
