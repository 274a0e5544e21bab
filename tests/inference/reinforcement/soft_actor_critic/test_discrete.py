"""The exact expectations of the discrete form, against sums written out."""

import math

import pytest
import torch
from gymnasium import spaces

from ppl_control.inference.reinforcement.soft_actor_critic.any_policy import AnyDiscretePolicy
from ppl_control.inference.reinforcement.soft_actor_critic.discrete import exact_value, q_of_index
from ppl_control.policies import CategoricalMLP
from ppl_control.trajectory.action_prior import ActionPrior

B, A, ALPHA = 5, 3, 0.7


@pytest.fixture
def numbers() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(B, A, generator=generator, dtype=torch.float64)
    return logits.log_softmax(-1), torch.randn(2, B, A, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("log_prior", [0.0, -math.log(A)])
def test_value_and_log_prob_against_enumeration(numbers, log_prior: float):
    log_prob, q = numbers
    value, mean_log_prob = exact_value(log_prob, q, log_prior, torch.tensor(ALPHA))
    for s in range(B):
        expected, expected_log = 0.0, 0.0
        for a in range(A):
            p, log_p = math.exp(log_prob[s, a]), float(log_prob[s, a])
            lower = min(float(q[0, s, a]), float(q[1, s, a]))
            expected += p * (lower - ALPHA * (log_p - log_prior))
            expected_log += p * log_p
        assert float(value[s]) == pytest.approx(expected, rel=1e-6)  # α is float32
        assert float(mean_log_prob[s]) == pytest.approx(expected_log, rel=1e-12)


def test_actions_that_are_ruled_out_count_for_nothing(numbers):
    log_prob, q = numbers
    log_prob = log_prob.clone()
    log_prob[:, 0] = -torch.inf
    log_prob = log_prob.log_softmax(-1).requires_grad_()
    log_prior = torch.zeros(B, A).index_fill(1, torch.tensor([0]), -torch.inf)
    value, mean_log_prob = exact_value(log_prob, q, log_prior, torch.tensor(ALPHA))
    others, _ = exact_value(log_prob[:, 1:], q[..., 1:], 0.0, torch.tensor(ALPHA))
    torch.testing.assert_close(value, others)
    assert bool(mean_log_prob.isfinite().all())
    (slope,) = torch.autograd.grad(value.sum(), log_prob)
    assert bool(slope.isfinite().all())


def test_values_of_what_was_done(numbers):
    _, q = numbers
    action = torch.tensor([[0.0], [2.0], [1.0], [1.0], [0.0]])
    taken = q_of_index(q, action)
    for s in range(B):
        assert taken[:, s].tolist() == q[:, s, int(action[s])].tolist()


def test_a_policy_as_prior_enters_action_by_action(numbers):
    _, q = numbers
    states = torch.randn(B, 2, generator=torch.Generator().manual_seed(1))
    policy = CategoricalMLP(A, num_features=2, hidden=())
    reference = CategoricalMLP(A, num_features=2, hidden=())
    with torch.no_grad():
        reference.network.head.bias.copy_(torch.tensor([2.0, 0.0, -1.0]))
    actions = AnyDiscretePolicy(policy, ActionPrior(reference, spaces.Discrete(A), torch.float32))
    critic = q.float()
    value, _ = actions.soft_value(
        list(policy.parameters()), lambda s: critic, states, torch.empty(0), torch.tensor(ALPHA)
    )
    log_prior = torch.tensor([2.0, 0.0, -1.0]).log_softmax(-1)
    expected = (critic.amin(0) - ALPHA * (-math.log(A) - log_prior)).mean(-1)
    torch.testing.assert_close(value, expected)
