"""The fast sweeps against the plain recursions of the exact methods."""

import pytest
import torch

from ppl_control import SoftValueIteration, TabularMDP, TrajectoryModel, infer
from ppl_control.inference.exact.posterior import posterior_of, posterior_values
from ppl_control.inference.exact.recursions import backward, occupancies, posterior_backup, variational_backup
from ppl_control.inference.exact.sweeps import arrivals, expected, flow, soft_sweeps
from ppl_control.inference.exact.tilted_sweeps import tilted_sweeps
from ppl_control.inverse import LinearReward, MaxEntIRL
from ppl_control.inverse.world import make_world
from ppl_control.models import hiking
from ppl_control.trajectory.tables import GuideTables
from tests.problems import each_problem, label, random_problem


def sparse_model(dtype=torch.float64):
    """So many states that the tables are looked up rather than multiplied."""
    generator = torch.Generator().manual_seed(0)
    successor = torch.randint(120, (120, 2, 3), generator=generator)
    chance = torch.rand(120, 2, 3, generator=generator, dtype=torch.float64)
    table = torch.zeros(120, 2, 120, dtype=torch.float64).scatter_add_(
        -1, successor, chance / chance.sum(-1, keepdim=True)
    )
    reward = torch.randn(120, 2, generator=generator, dtype=torch.float64)
    done = torch.arange(120) % 40 == 7
    mdp = TabularMDP(torch.full((120,), 1 / 120), table, reward, done=done.numpy(), dtype=dtype)
    return TrajectoryModel(mdp, horizon=9, temperature=0.7, discount=0.9)


each_model = pytest.mark.parametrize(
    "model", [p.model() for p in each_problem()] + [sparse_model()], ids=[*map(label, each_problem()), "sparse"]
)


@each_model
def test_sweeps_and_flow_are_the_recursions(model):
    tables = model.tables
    value, q, policy = soft_sweeps(tables, tables.expected_reward)
    value_, q_ = backward(tables, variational_backup)
    alive = ~tables.terminal
    torch.testing.assert_close(value, value_, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(q[:, alive], q_[:, alive], rtol=1e-12, atol=1e-12)
    log_policy = torch.log_softmax(tables.log_prior + q_, -1)
    torch.testing.assert_close(policy[:, alive], log_policy.exp()[:, alive], rtol=1e-12, atol=1e-12)

    values = torch.zeros_like(value[:-1])
    values[0] = tables.initial[:-1]
    total, mass = flow(tables, policy, None, values)
    visits = occupancies(tables, GuideTables(log_policy))[:-1, :-1]
    torch.testing.assert_close(mass, visits, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(total, (visits[..., None] * log_policy.exp()).sum(0), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(expected(tables, value[1]), tables.expect(value[1]), rtol=1e-12, atol=1e-14)
    matrix = expected(tables, torch.eye(tables.num_states, dtype=torch.float64))
    torch.testing.assert_close(arrivals(tables, total), torch.einsum("sa,sax->x", total, matrix))


def test_single_precision():
    tables = sparse_model(torch.float32).tables
    value, q, policy = soft_sweeps(tables, tables.expected_reward)
    assert value.dtype == q.dtype == policy.dtype == torch.float32
    exact = soft_sweeps(sparse_model().tables, sparse_model().tables.expected_reward)[0]
    torch.testing.assert_close(value.double(), exact, rtol=1e-5, atol=1e-5)


@each_model
def test_tilted_sweeps_and_their_flow_are_the_posterior(model):
    tables = model.tables
    found = tilted_sweeps(tables, tables.reward)
    value, _ = backward(tables, posterior_backup)
    torch.testing.assert_close(found.value, value, rtol=1e-12, atol=1e-12)

    guide = posterior_of(tables, posterior_values(tables)).guide
    on_v = torch.zeros_like(value[:-1])
    on_v[0], on_v[-1] = guide.initial.exp()[:-1], 0.5
    on_v = on_v.masked_fill(tables.terminal, 0.0)
    joint = (guide.policy.exp()[..., None] * guide.outcomes.exp()).masked_fill(tables.terminal[:, None, None], 0.0)
    mass, total = torch.zeros(tables.num_states + 1, dtype=torch.float64), torch.zeros_like(joint[0])
    for t in range(len(joint)):
        here = (mass[:-1] + on_v[t])[:, None, None] * joint[t]
        total += here
        mass = torch.zeros_like(mass).index_add_(0, tables.successor.reshape(-1), here.reshape(-1))
    torch.testing.assert_close(found.flow(tables, on_v, each=True), total, rtol=1e-10, atol=1e-13)
    torch.testing.assert_close(found.flow(tables, on_v, each=False)[..., 0], total.sum(-1), rtol=1e-10, atol=1e-13)


def test_a_long_way_to_go_is_not_far_apart():
    """After 2000 steps without an end V is thousands of nats, and hardly differs between states."""
    mdp = random_problem(3, states=4, actions=3, ends=False).mdp()
    tables = TrajectoryModel(mdp, horizon=2000).tables
    found = tilted_sweeps(tables, tables.reward)
    assert found is not None
    assert found.value[0].min() > 1e3
    posterior = posterior_of(tables, posterior_values(tables))
    torch.testing.assert_close(found.value, posterior.value, rtol=1e-12, atol=1e-12)
    on_v = torch.zeros_like(found.value[:-1])
    on_v[0] = tables.initial[:-1]
    visits = occupancies(tables, GuideTables(posterior.guide.policy, None, posterior.guide.outcomes))[:-1, :-1]
    expected = (visits[..., None] * posterior.guide.policy.exp()).sum(0)
    torch.testing.assert_close(found.flow(tables, on_v, each=False)[..., 0], expected, rtol=1e-9, atol=1e-9)


def test_values_too_far_apart_are_left_to_logarithms():
    tables = sparse_model().tables
    assert tilted_sweeps(tables, 1e3 * tables.reward) is None


def test_the_gradient_is_right_there_too():
    """Weights a hundred times the hiker's: values thousands of nats apart, and finite differences all the same."""
    model, reward = hiking.model(), hiking.reward()
    walks = infer(model, SoftValueIteration()).sample(5)
    start = torch.tensor([300.0, 70.0, -500.0, -20.0], dtype=torch.float64)

    def at(weights):
        return MaxEntIRL(LinearReward(reward.features, weights=weights), "trajectory").value_and_gradient(model, walks)

    _, slope = at(start)
    for k in range(4):
        step = 1e-4 * torch.eye(4, dtype=torch.float64)[k]
        ends = [at(start + sign * step)[0] for sign in (1, -1)]
        assert slope[k].item() == pytest.approx((ends[0] - ends[1]) / 2e-4, rel=1e-5, abs=1e-5)
    world = make_world(model)
    assert tilted_sweeps(world.tables, world.pay(LinearReward(reward.features, weights=start))) is None
