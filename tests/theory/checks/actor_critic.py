"""Equations 46 to 51: soft actor-critic. Its networks are in single precision."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch
from torch.distributions import Normal, TransformedDistribution
from torch.distributions.transforms import AffineTransform, ComposeTransform, TanhTransform

from ppl_control.inference.reinforcement.replay import Batch
from ppl_control.inference.reinforcement.soft_actor_critic.continuous import ContinuousActions, squashed_draw
from ppl_control.inference.reinforcement.soft_actor_critic.discrete import DiscreteActions, exact_value
from ppl_control.inference.reinforcement.soft_actor_critic.learned import Group, Learned
from ppl_control.inference.reinforcement.soft_actor_critic.losses import actor_loss, critic_loss, temperature_loss
from ppl_control.inference.reinforcement.soft_actor_critic.networks.critics import StateCritics
from ppl_control.inference.reinforcement.soft_actor_critic.objectives import Objectives
from ppl_control.inference.reinforcement.soft_actor_critic.update import Rates, eager
from ppl_control.policies import CategoricalMLP, SquashedGaussianMLP
from ppl_control.policies.gaussian import log_scale_of
from tests.theory.registry import close, equation

near = partial(np.testing.assert_allclose, rtol=2e-5, atol=2e-6)  # single precision
ALPHA, GAMMA, S, A, B = 0.6, 0.9, 4, 3, 5
LOG_PRIOR = -math.log(A)
FEATURES = {"num_states": S}


def networks() -> tuple[CategoricalMLP, StateCritics, StateCritics]:
    """An actor, critics and their averages."""
    actor = CategoricalMLP(A, num_states=S, hidden=(8,), dtype=torch.float32)
    torch.nn.init.normal_(actor.network.head.weight, generator=torch.Generator().manual_seed(2))
    critics = [StateCritics(FEATURES, A, (8,), seed) for seed in (0, 1)]
    for module in (actor, *critics):
        module.requires_grad_(False)
    return actor, *critics


def objectives(actor: CategoricalMLP, critic: StateCritics) -> Objectives:
    return Objectives(DiscreteActions(actor, LOG_PRIOR), critic, [1, 1, 1, 1, 1], True)


def batch() -> Batch:
    generator = torch.Generator().manual_seed(3)
    state, following = (torch.randint(S, (B,), generator=generator) for _ in range(2))
    action = torch.randint(A, (B, 1), generator=generator).float()
    return Batch(state, action, torch.randn(B, generator=generator), torch.tensor([0.0, 1, 0, 0, 1]), following)


def soft_value(pi: np.ndarray, Q: np.ndarray) -> float:
    """Equation 46 at one state; π [a], Q [i, a]."""
    return sum(pi[a] * (min(Q[0, a], Q[1, a]) - ALPHA * (math.log(pi[a]) - LOG_PRIOR)) for a in range(A))


@equation(46, exact_value, ContinuousActions.soft_value)
def check_soft_value():
    rng = np.random.default_rng(0)
    pi, Q = rng.dirichlet(np.ones(A), size=B), rng.normal(size=(2, B, A))
    log_pi = torch.as_tensor(np.log(pi))
    found, _ = exact_value(log_pi, torch.as_tensor(Q), LOG_PRIOR, torch.tensor(ALPHA, dtype=torch.float64))
    close(found, [soft_value(pi[i], Q[:, i]) for i in range(B)])
    # Vectors: one draw each, whose mean over draws is the expectation; here the draw's own terms.
    low, high, noise = torch.tensor([-1.0, 0.0]), torch.tensor([1.0, 3.0]), torch.randn(B, 2)
    policy = SquashedGaussianMLP(action_dim=2, low=low, high=high, num_features=2, hidden=(8,), dtype=torch.float32)
    state = torch.randn(B, 2)

    def critic(_, action):
        return torch.stack([action.sum(-1), (action - 0.5).square().sum(-1)])

    actions, parameters = ContinuousActions(policy, -1.5), list(policy.network.parameters())
    found, log_prob = actions.soft_value(parameters, critic, state, noise, torch.tensor(ALPHA))
    action, _ = squashed_draw(policy.network(state), noise, low, high, policy.bounds.start_scale)
    near(log_prob.detach(), policy(state).log_prob(action).detach())
    both = critic(None, action)
    near(found.detach(), (torch.minimum(both[0], both[1]) - ALPHA * (log_prob + 1.5)).detach())


@equation(47, Objectives.target, critic_loss)
def check_critic():
    (actor, critic, average), rows = networks(), batch()
    goal, alpha = objectives(actor, critic), torch.tensor(ALPHA)
    noise = torch.zeros(B, 1)
    y = goal.target(list(actor.network.parameters()), list(average.parameters()), rows, noise, alpha, GAMMA)
    pi, Q = actor(rows.next_observation).probs.double().numpy(), average(rows.next_observation).double().numpy()
    ahead = np.array([soft_value(pi[i], Q[:, i]) for i in range(B)])
    expected = rows.reward.numpy() + GAMMA * (1 - rows.terminated.numpy()) * ahead
    near(y, expected)
    here = critic(rows.observation).numpy()
    taken = [[here[i, b, int(rows.action[b])] for b in range(B)] for i in range(2)]
    loss = sum(np.mean([0.5 * (q - target) ** 2 for q, target in zip(row, expected, strict=True)]) for row in taken)
    near(goal.critic_loss(list(critic.parameters()), rows, y), loss)


@equation(48, actor_loss, Objectives.actor_loss)
def check_actor():
    (actor, critic, _), rows = networks(), batch()
    parameters = list(actor.network.parameters()), list(critic.parameters())
    found, _ = objectives(actor, critic).actor_loss(*parameters, rows, torch.zeros(B, 1), torch.tensor(ALPHA))
    pi, Q = actor(rows.observation).probs.double().numpy(), critic(rows.observation).double().numpy()
    losses = [
        sum(pi[i, a] * (ALPHA * (math.log(pi[i, a]) - LOG_PRIOR) - Q[:, i, a].min()) for a in range(A))
        for i in range(B)
    ]
    near(found, np.mean(losses))


@equation(49, temperature_loss)
def check_temperature():
    log_alpha = torch.tensor(math.log(ALPHA), dtype=torch.float64, requires_grad=True)
    log_pi, wanted = torch.tensor([-0.3, -1.2, -2.0], dtype=torch.float64, requires_grad=True), 0.5
    loss = temperature_loss(log_alpha, log_pi, wanted)
    entropy = (0.3 + 1.2 + 2.0) / 3
    close(loss.detach(), math.log(ALPHA) * (entropy - wanted))
    loss.backward()
    close(log_alpha.grad, entropy - wanted)  # too random: log α descends
    assert log_pi.grad is None


@equation(50, eager)
def check_target_averages():
    actor, critic, average = networks()
    kappa, before = 0.05, [p.clone() for p in average.parameters()]
    learned = Learned(
        Group.of(actor.network.parameters()),
        Group.of(critic.parameters()),
        [p.clone() for p in before],
        Group.of([torch.tensor(math.log(ALPHA))]),
        torch.zeros(()),
    )
    start = [p.clone() for p in critic.parameters()]
    rows = torch.cat([column.reshape(B, -1).float() for column in batch()], 1)
    eager(objectives(actor, critic), Rates(GAMMA, 1e-2, kappa, 0.3), learned, rows, torch.zeros(2, B, 1))
    assert any((value != old).any() for value, old in zip(learned.critic.values, start, strict=True))
    for found, old, value in zip(learned.target, before, learned.critic.values, strict=True):
        near(found, (1 - kappa) * old + kappa * value)


@equation(51, squashed_draw)
def check_squashed():
    rng = np.random.default_rng(0)
    low, high, start_scale = np.array([-2.0, 0.0]), np.array([1.0, 5.0]), 0.8
    numbers, noise = rng.normal(size=(B, 4)) * 0.5, rng.normal(size=(B, 2))
    action, log_prob = squashed_draw(*(torch.as_tensor(x) for x in (numbers, noise, low, high)), start_scale)
    mean, raw = numbers[:, :2], numbers[:, 2:]
    scale = log_scale_of(torch.as_tensor(raw)).exp().numpy() * start_scale
    x = mean + scale * noise

    def sigma(y):
        return 1 / (1 + np.exp(-y))

    close(action, low + (high - low) * sigma(2 * x))
    log_normal = -0.5 * ((x - mean) / scale) ** 2 - np.log(scale * math.sqrt(2 * math.pi))
    close(log_prob, (log_normal - np.log(2 * (high - low) * sigma(2 * x) * sigma(-2 * x))).sum(-1))
    # The same density by torch's own transforms: a tanh of a normal, moved between the bounds.
    half = torch.as_tensor(high - low) / 2
    moved = ComposeTransform([TanhTransform(), AffineTransform(torch.as_tensor(low) + half, half)])
    law = TransformedDistribution(Normal(torch.as_tensor(mean), torch.as_tensor(scale)), moved)
    np.testing.assert_allclose(log_prob, law.log_prob(action).sum(-1), rtol=1e-7)
