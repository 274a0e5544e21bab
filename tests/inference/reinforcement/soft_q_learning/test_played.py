"""Tables filled by playing real environments."""

import pytest
import torch

from ppl_control import SimulatorMDP, SoftQLearning, SoftValueIteration, TabularMDP, TrajectoryModel, evaluate, infer
from ppl_control.policies import TabularPolicy
from tests.environments import Corridor


def corridor(length: int = 3) -> TabularMDP:
    rows = [[[(1.0, s, -1.0, False)], [(1.0, s + 1, -1.0, s + 1 == length)]] for s in range(length)]
    return TabularMDP.from_outcomes([*rows, [[], []]], torch.eye(length + 1)[0])


@pytest.mark.parametrize("limit", [None, 4])
@pytest.mark.parametrize("prior", ["base", "uniform", "policy"])
def test_the_corridor_comes_to_its_fixed_point(limit, prior):
    """Time limits are no ends: however short they are, the fixed point is that without them."""
    action_prior = {
        "base": None,
        "uniform": "uniform",
        "policy": TabularPolicy(torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.5, 0.0], [0.0, 0.0]])),
    }[prior]
    settings = {"discount": 0.8, "temperature": 0.5, "action_prior": action_prior}
    best = infer(TrajectoryModel(corridor(), **settings), SoftValueIteration())
    model = TrajectoryModel(SimulatorMDP(Corridor, length=3, limit=limit), **settings)
    found = infer(model, SoftQLearning(steps=12_000, episodes=400), progress=False)
    torch.testing.assert_close(found.soft_q[:3], best.soft_q[:3], atol=1e-2, rtol=0)
    torch.testing.assert_close(found.soft_value[:3], best.soft_value[:3], atol=1e-2, rtol=0)
    torch.testing.assert_close(
        found.policy.log_table()[:3].exp().double(), best.policy.log_table()[:3].exp().double(), atol=1e-2, rtol=0
    )
    if limit is None:
        spread = 4 * found.log_evidence_bound_stderr
        assert found.log_evidence_bound == pytest.approx(best.log_evidence_bound, abs=spread + 0.01)


def test_a_horizon_gives_q_a_time():
    settings = {"horizon": 5, "temperature": 0.5, "action_prior": "uniform"}
    best = infer(TrajectoryModel(corridor(), **settings), SoftValueIteration())
    model = TrajectoryModel(SimulatorMDP(Corridor, length=3), **settings)
    found = infer(model, SoftQLearning(steps=16_000, episodes=20), progress=False)
    assert found.soft_q.shape == (5, 4, 2)
    assert found.soft_value.shape == (6, 4)
    for t in range(5):  # where one can be after t steps
        reached = slice(0, min(t, 2) + 1)
        torch.testing.assert_close(found.soft_q[t, reached], best.soft_q[t, reached], atol=1e-2, rtol=0)


def test_repeated_pairs_of_a_batch_are_averaged():
    model = TrajectoryModel(SimulatorMDP(Corridor, length=3), discount=0.5, temperature=1e-6)
    state = SoftQLearning().init(model)
    pair, reward = torch.tensor([1, 1, 3]), torch.tensor([1.0, 3.0, 5.0], dtype=torch.float64)
    loss = state.learn(pair, reward, torch.tensor([1.0, 1.0, 0.0]).double(), torch.tensor([0, 0, 2]))
    expected = torch.zeros(4, 2, dtype=torch.float64)
    expected[0, 1], expected[1, 1] = 2.0, 5.0 + 0.5 * 1e-6 * torch.log(torch.tensor(2.0)).item()
    torch.testing.assert_close(state.q, expected)
    assert loss == pytest.approx((1 + 9 + 25) / 3, rel=1e-5)
    assert state.updates.tolist() == [[0, 1], [0, 1], [0, 0], [0, 0]]
    state.learn(pair[:1], reward[:1], torch.ones(1).double(), torch.tensor([0]))
    assert float(state.q[0, 1]) == pytest.approx(2.0 - 8 / 9)  # h = 4 / (1 − 0.5), n = 1
    state.close()


def on(name: str, limit: int, **settings) -> tuple[TrajectoryModel, TrajectoryModel]:
    return (
        TrajectoryModel(SimulatorMDP(name, max_episode_steps=limit), **settings),
        TrajectoryModel(TabularMDP.from_gymnasium(name), **settings),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("discount", "temperature", "steps"), [(0.95, 1.0, 500_000), (0.95, 0.1, 500_000), (0.99, 1.0, 1_000_000)]
)
@pytest.mark.parametrize("prior", [None, "uniform"])
def test_cliff_walking(discount, temperature, steps, prior):
    """The walk has no time limit of its own, and at α = 1 a policy may prefer never to arrive."""
    played, table = on("CliffWalking-v1", 1000, discount=discount, temperature=temperature, action_prior=prior)
    found = infer(played, SoftQLearning(steps=steps), progress=False)
    best = infer(table, SoftValueIteration())
    assert abs(float(found.soft_value[36] - best.soft_value[36])) < 1e-2
    assert evaluate(found, played, episodes=20).executed_return == pytest.approx(
        evaluate(best, table).executed_return, abs=0.5
    )


@pytest.mark.slow
def test_frozen_lake():
    """At smaller α the maximum of noisy values is too high for much longer: see the method's note."""
    temperature = 0.1
    played, table = on("FrozenLake-v1", 100, discount=0.95, temperature=temperature, action_prior="uniform")
    found = infer(played, SoftQLearning(episodes=1000), progress=False)
    best = infer(table, SoftValueIteration())
    assert abs(float(found.soft_value[0] - best.soft_value[0])) < 1e-2
    spread = 4 * found.log_evidence_bound_stderr
    assert found.log_evidence_bound == pytest.approx(best.log_evidence_bound, abs=spread + 0.1)
