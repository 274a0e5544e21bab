"""Bad settings are named before the first step."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from ppl_control.inference.base import infer
from ppl_control.inference.reinforcement.soft_actor_critic import SoftActorCritic
from ppl_control.mdp.simulator import SimulatorMDP
from ppl_control.policies import CategoricalMLP, FlowPolicy, MixtureMLP, SquashedGaussianMLP
from ppl_control.trajectory.model import TrajectoryModel

PENDULUM = {"num_features": 3, "action_dim": 1, "low": -2.0, "high": 2.0}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 512, "buffer_size": 500}, "batch_size: expected at most buffer_size = 500, got 512"),
        ({"environments": 300, "buffer_size": 256}, "environments: expected at most buffer_size"),
        ({"environments": 8, "steps": 7}, "environments: expected at most steps = 7, got 8"),
        ({"steps": 99}, "learning_starts: expected at most steps = 99, got 100"),
        ({"steps": 0}, "steps: expected an integer >= 1, got 0"),
        ({"steps": 1.5}, "steps: expected an integer"),
        ({"threads": True}, "threads: expected an integer"),
        ({"episodes": 1}, "episodes: expected an integer >= 2"),
        ({"learning_rate": 0.0}, "learning_rate: expected a finite number > 0"),
        ({"learning_rate": float("inf")}, "learning_rate: expected a finite"),
        ({"learning_rate": "fast"}, "learning_rate: expected a finite"),
        ({"target_rate": 0.0}, r"target_rate: expected a number in \(0, 1\]"),
        ({"temperature": 0.1}, "temperature: expected 'learned' or 'model', got 0.1; a number belongs to the Traj"),
        ({"temperature": "model", "target_entropy": -1.0}, "target_entropy: it guides a learned temperature"),
        ({"target_entropy": float("nan")}, "target_entropy: expected a finite number"),
        ({"hidden": 256}, "hidden: expected the widths"),
        ({"hidden": (0,)}, "hidden: expected an integer >= 1, got 0"),
        ({"policy": "flow"}, "policy: expected a policy"),
        ({"compile": "yes"}, "compile: expected True or False"),
    ],
)
def test_settings(settings: dict, message: str):
    with pytest.raises(ValueError, match=message):
        SoftActorCritic(**settings)


class Seen(gymnasium.Env):
    """Spaces only."""

    def __init__(self, observation_space: spaces.Space, action_space: spaces.Space) -> None:
        self.observation_space, self.action_space = observation_space, action_space


LINE = spaces.Box(-1.0, 1.0, (1,))


def test_an_image_is_refused():
    with pytest.raises(ValueError, match="images are not served"):
        SimulatorMDP(lambda: Seen(spaces.Box(0, 255, (8, 8, 3), np.uint8), LINE))


def test_unbounded_actions_are_refused():
    model = TrajectoryModel(SimulatorMDP(lambda: Seen(LINE, spaces.Box(-np.inf, np.inf, (1,)))), discount=0.9)
    with pytest.raises(ValueError, match="SoftActorCritic squashes actions between bounds"):
        infer(model, SoftActorCritic())


def test_without_discount_or_horizon_it_is_refused():
    with pytest.raises(ValueError, match="discount: SoftActorCritic bootstraps"):
        infer(TrajectoryModel(SimulatorMDP("Pendulum-v1")), SoftActorCritic())


@pytest.mark.parametrize(
    ("environment", "settings", "message"),
    [
        ("Pendulum-v1", {"target_entropy": 2.0}, "target_entropy: expected nats from -inf to below 1.386"),
        ("CartPole-v1", {"target_entropy": 0.7}, "target_entropy: expected nats from 0 to below 0.6931"),
        ("CartPole-v1", {"target_entropy": -2.0}, "target_entropy: expected nats from 0"),
        ("Pendulum-v1", {"policy": MixtureMLP(**PENDULUM)}, "policy: MixtureMLP draws without rsample"),
        ("Pendulum-v1", {"policy": SquashedGaussianMLP(**PENDULUM, horizon=9)}, "policy: it depends on time"),
        ("Pendulum-v1", {"policy": FlowPolicy(num_features=3, action_dim=1)}, "policy: it reaches beyond the bounds"),
        ("Pendulum-v1", {"policy": SquashedGaussianMLP(**{**PENDULUM, "num_features": 4})}, "policy: "),
        ("CartPole-v1", {"policy": CategoricalMLP(3, num_features=4)}, "policy|action"),
        ("Pendulum-v1", {"policy": FlowPolicy(**PENDULUM), "compile": True}, "compile: only SquashedGaussianMLP"),
    ],
)
def test_models(environment: str, settings: dict, message: str):
    model = TrajectoryModel(SimulatorMDP(environment), discount=0.9)
    with pytest.raises(ValueError, match=message):
        infer(model, SoftActorCritic(**settings), progress=False)


def test_the_policy_given_is_copied():
    policy = SquashedGaussianMLP(**PENDULUM, hidden=(8,), dtype=torch.float32)
    before = [p.clone() for p in policy.parameters()]
    method = SoftActorCritic(
        steps=200, policy=policy, hidden=(8,), batch_size=8, learning_starts=10, compile=False, episodes=2
    )
    solution = infer(TrajectoryModel(SimulatorMDP("Pendulum-v1"), discount=0.9), method, progress=False)
    assert all(torch.equal(p, q) for p, q in zip(policy.parameters(), before, strict=True))
    assert all(p.requires_grad for p in policy.parameters())
    assert solution.policy is not None
    assert any(not torch.equal(p, q) for p, q in zip(solution.policy.parameters(), before, strict=True))


def test_values_that_would_grow_through_the_horizon_are_refused():
    model = TrajectoryModel(SimulatorMDP("CartPole-v1"), horizon=20)
    with pytest.raises(ValueError, match="discount: SoftActorCritic bootstraps through a horizon"):
        infer(model, SoftActorCritic(steps=200, compile=False), progress=False)
