"""What the policy gradient must reach, with the numbers of the benchmarks."""

from time import process_time

import pytest
import torch

from ppl_control import SimulatorMDP, SoftValueIteration, TabularMDP, TrajectoryModel, callbacks, evaluate, infer
from ppl_control.inference.reinforcement.policy_gradient import SoftPolicyGradient
from ppl_control.policies import Deterministic
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.simulation import simulate
from tests.environments import Corridor


def fresh_return(model, policy, seed):
    """Mean undiscounted return of the policy's mode over 20 episodes never seen before."""
    with RandomStream(seed):
        return float(simulate(model, Deterministic(policy), 20).whole_returns.mean())


def test_corridor_near_the_soft_optimum():
    """Played, it comes to what soft value iteration computes from the tables."""
    length, settings = 2, {"discount": 0.8, "temperature": 0.5}
    rows = [[[(1.0, s, -1.0, False)], [(1.0, s + 1, -1.0, s + 1 == length)]] for s in range(length)]
    table = TabularMDP.from_outcomes([*rows, [[], []]], torch.eye(length + 1)[0])
    best = infer(TrajectoryModel(table, **settings), SoftValueIteration())
    model = TrajectoryModel(SimulatorMDP(Corridor, length=length), **settings)
    method = SoftPolicyGradient(steps=6144, learning_rate=1e-2, hidden=(16,), episodes=500)
    found = infer(model, method, progress=False)
    probabilities = found.policy(torch.arange(length)).probs
    torch.testing.assert_close(probabilities.double(), best.policy.log_table().exp()[:length], atol=0.03, rtol=0)
    assert found.log_evidence_bound == pytest.approx(
        best.log_evidence_bound, abs=4 * found.log_evidence_bound_stderr + 0.01
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_cart_pole(seed):
    """475 in at most 100,000 steps; the best checkpoint is chosen on some episodes and judged on others."""
    model = TrajectoryModel(SimulatorMDP("CartPole-v1"), temperature=0.1, discount=0.99)
    seen = callbacks.Evaluations(model, every=10_000, episodes=20, seed=1000 + seed, stop_at=500.0)
    start = process_time()
    solution = infer(model, SoftPolicyGradient(), seed=seed, progress=False, callbacks=[seen])
    assert solution.history["step"][-1] <= 100_000
    assert fresh_return(model, seen.best_policy, 2000 + seed) >= 475
    assert process_time() - start < 40  # evaluations included


@pytest.mark.slow
def test_temperature_sets_the_entropy_that_is_left():
    """The hotter the model, the more random the policy that is found, and it plays well all the same."""
    entropies = []
    for temperature in (0.02, 1.0):
        model = TrajectoryModel(SimulatorMDP("CartPole-v1"), temperature=temperature, discount=0.99)
        solution = infer(model, SoftPolicyGradient(steps=50_000), progress=False)
        report = evaluate(solution, model, episodes=20)
        assert report.episode_return > 450
        entropies.append(solution.history["entropy"][-1])
    assert entropies[0] < entropies[1] - 0.05


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_pendulum(seed):
    """Continuous actions: from −1200 of chance to a pendulum that stands, within 200,000 steps."""
    model = TrajectoryModel(SimulatorMDP("Pendulum-v1"), temperature=0.2, discount=0.95)
    seen = callbacks.Evaluations(model, every=20_000, episodes=20, seed=1000 + seed)
    infer(model, SoftPolicyGradient(steps=200_000), seed=seed, progress=False, callbacks=[seen])
    assert fresh_return(model, seen.best_policy, 2000 + seed) >= -250
