"""What soft actor-critic learns on the problems that papers use, at the default settings."""

from __future__ import annotations

import pytest

from ppl_control.callbacks import Evaluations
from ppl_control.inference.base import Step, infer
from ppl_control.inference.reinforcement.soft_actor_critic import SoftActorCritic
from ppl_control.mdp.simulator import SimulatorMDP
from ppl_control.policies import Deterministic
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.simulation import simulate

pytestmark = pytest.mark.slow

EVALUATION_SEED = 12345


def evaluated(environment: str, method: SoftActorCritic, seed: int, every: int) -> dict[int, float]:
    """Mean undiscounted return of 20 deterministic episodes on fixed seeds, by environment steps."""
    model = TrajectoryModel(SimulatorMDP(environment), discount=0.99)
    found = {}

    def evaluate(step: Step) -> None:
        if step.number % every == 0:
            with RandomStream(EVALUATION_SEED):
                episodes = simulate(model, Deterministic(step.state.policy), 20)
            found[step.number] = float(episodes.whole_returns.mean())

    infer(model, method, seed=seed, progress=False, callbacks=[evaluate])
    print(f"\n{environment}, seed {seed}: {found}")
    return found


@pytest.mark.parametrize("seed", range(5))
def test_pendulum(seed: int):
    returns = evaluated("Pendulum-v1", SoftActorCritic(steps=10_000), seed, every=5000)
    assert returns[5000] >= -190
    assert returns[10_000] >= -178


@pytest.mark.parametrize("seed", range(2))
def test_cart_pole(seed: int):
    model = TrajectoryModel(SimulatorMDP("CartPole-v1"), discount=0.99)
    seen = Evaluations(model, every=2500, episodes=20, seed=1, stop_at=475.0)
    method = SoftActorCritic(steps=60_000, hidden=(64, 64), batch_size=128, environments=8)
    infer(model, method, seed=seed, progress=False, callbacks=[seen])
    print(f"\nCartPole-v1, seed {seed}: {seen.history}")
    assert seen.best_policy is not None
    with RandomStream(EVALUATION_SEED):  # episodes that did not choose it
        fresh = simulate(model, Deterministic(seen.best_policy), 20).whole_returns
    assert float(fresh.mean()) >= 475
