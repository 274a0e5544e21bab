"""Rollouts in stretches: the numbers of whole ones, in less memory."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from pyro.distributions import Normal

from ppl_control import SVI, DifferentiableMDP, LinearGaussianMDP, TrajectoryModel
from ppl_control.guides import FixedDynamics, OpenLoop, Unconstrained
from ppl_control.policies import GaussianMLP
from ppl_control.randomness import RandomStream
from ppl_control.trajectory import continuous_rollout
from ppl_control.trajectory.stretches import in_stretches, stretches


def linear(horizon: int = 17) -> TrajectoryModel:
    mdp = LinearGaussianMDP(
        [[0.9, 0.1], [0.0, 0.9]], [[0.0], [1.0]], [[0.1, 0.0], [0.0, 0.1]], [[1.0, 0.0], [0.0, 1.0]], [[0.5]],
        initial_mean=[1.0, 0.0], initial_covariance=[[0.1, 0.0], [0.0, 0.1]],
    )  # fmt: skip
    return TrajectoryModel(mdp, horizon=horizon)


def ending(horizon: int = 17) -> TrajectoryModel:
    """Trajectories end outside of a strip."""
    mdp = DifferentiableMDP(
        Normal(torch.zeros(2).double(), torch.ones(2).double()).to_event(1),
        lambda state, action: Normal(state + 0.3 * action, 0.5).to_event(1),
        lambda state, action: -(state**2).sum(-1) - (action**2).sum(-1),
        action_space=spaces.Box(-np.inf, np.inf, (1,)),
        done=lambda state: state[..., 0].abs() > 1.5,
    )
    return TrajectoryModel(mdp, horizon=horizon, discount=0.95)


def policy() -> GaussianMLP:
    return GaussianMLP(num_features=2, action_dim=1, hidden=(8,), dtype=torch.float64)


def test_stretches_are_as_many_as_they_are_long():
    for length in (1, 2, 3, 10, 99, 100, 101, 10_000):
        found = stretches(length)
        assert [t for times in found for t in times] == list(range(length))
        assert max(len(found), *(len(times) for times in found)) ** 2 < length + 2 * length**0.5 + 2


def loss_and_gradient(model: TrajectoryModel, guide: Any, estimator: str, n: int = 6) -> tuple[torch.Tensor, list[Any]]:
    state = SVI(guide, particles=n, estimator=estimator).init(model, seed=3)  # type: ignore[arg-type]
    with state.stream:
        _, loss, _ = state.estimator.loss(state.guide, n, None)
    torch.rand(5)  # what others draw meanwhile must not matter
    before = torch.get_rng_state()
    loss.backward()
    assert torch.equal(before, torch.get_rng_state())
    return loss.detach(), [parameter.grad for parameter in state.guide.parameters()]


CASES = {
    "network": (linear, lambda: FixedDynamics(policy()), "reparameterised"),
    "network by score": (linear, lambda: FixedDynamics(policy()), "score"),
    "gains": (linear, FixedDynamics, "reparameterised"),
    "own beliefs": (linear, Unconstrained, "reparameterised"),
    "own beliefs by score": (linear, Unconstrained, "score"),
    "an end": (ending, lambda: FixedDynamics(policy()), "score"),
    "plan": (linear, OpenLoop, "reparameterised"),
    "plan as a flow": (linear, lambda: OpenLoop("flow"), "reparameterised"),
}


@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradient_are_those_of_whole_rollouts(case: str, monkeypatch):
    make, guide, estimator = CASES[case]
    whole = loss_and_gradient(make(), guide(), estimator)
    monkeypatch.setattr(continuous_rollout, "LONG", 0)
    runs, bare = [], in_stretches

    def counted(*given):
        runs.append(len(given))
        return bare(*given)

    monkeypatch.setattr(continuous_rollout, "in_stretches", counted)
    found = loss_and_gradient(make(), guide(), estimator)
    assert len(runs) == len(stretches(17))
    torch.testing.assert_close(found, whole, rtol=1e-12, atol=1e-12)
    assert any(slope is not None and bool(slope.any()) for slope in found[1])


def test_drawn_trajectories_are_the_same(monkeypatch):
    """Every column of a rollout, and the totals of a bound, bit for bit."""
    guide = FixedDynamics(policy()).build(linear())
    with RandomStream(1):
        whole, total = guide.rollout(4), guide.total_gains(4)
    monkeypatch.setattr(continuous_rollout, "LONG", 0)
    with RandomStream(1):
        parts, again = guide.rollout(4), guide.total_gains(4)
    for name, column in vars(whole).items():
        assert torch.equal(getattr(parts, name), column), name
    torch.testing.assert_close(again, total, rtol=1e-14, atol=1e-14)


def test_a_gradient_may_be_asked_for_twice():
    weight = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    start = torch.ones(3, dtype=torch.float64, requires_grad=True)
    with RandomStream(0):
        (end,) = in_stretches(lambda x: (weight * x * torch.rand(3, dtype=torch.float64),), [start], [weight])
    once = torch.autograd.grad(end.sum(), [start, weight], retain_graph=True)
    torch.testing.assert_close(torch.autograd.grad(end.sum(), [start, weight]), once, rtol=0, atol=0)
    torch.testing.assert_close(once[1], end.detach().sum() / 2)


MEASURE = """
import sys, torch
from ppl_control import SVI
from ppl_control.guides import FixedDynamics
from tests.trajectory.test_stretches import linear, policy
from ppl_control.trajectory import continuous_rollout
torch.set_num_threads(1)
model, n, continuous_rollout.LONG = linear(int(sys.argv[1])), 64, int(sys.argv[2])
state = SVI(FixedDynamics(policy()), particles=n, estimator="reparameterised").init(model)
def highest():  # of this process alone; ru_maxrss remembers what started it
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = highest()
with state.stream:
    _, loss, _ = state.estimator.loss(state.guide, n, None)
loss.backward()
print(highest() - before)
"""


def peak(horizon: int, long: int = continuous_rollout.LONG) -> float:
    """MiB that a gradient of 64 trajectories takes at most, in a process of its own."""
    command = [sys.executable, "-c", MEASURE, str(horizon), str(long)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_grows_as_the_square_root_of_the_horizon():
    """Whole graphs of these rollouts take some 80 MiB a thousand steps."""
    short, long = peak(2500), peak(10_000)
    assert long < 60
    assert long < 2.5 * max(short, 8)
