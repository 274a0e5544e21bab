"""The fast sweeps against the plain recursions of the exact methods."""

import pytest
import torch

from ppl_control import TabularMDP, TrajectoryModel
from ppl_control.inference.exact.recursions import backward, occupancies, variational_backup
from ppl_control.inference.exact.sweeps import arrivals, expected, flow, soft_sweeps
from ppl_control.trajectory.tables import GuideTables
from tests.problems import each_problem, label


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


@pytest.mark.parametrize(
    "model", [p.model() for p in each_problem()] + [sparse_model()], ids=[*map(label, each_problem()), "sparse"]
)
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
