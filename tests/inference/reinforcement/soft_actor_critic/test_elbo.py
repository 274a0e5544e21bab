"""Soft actor-critic is SVI of the one-step model with factor exp(Q(s,a)/α): checked against Pyro's own ELBO."""

import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from gymnasium import spaces
from pyro.infer import Trace_ELBO, TraceEnum_ELBO
from torch import Tensor, nn

from ppl_control.inference.reinforcement.soft_actor_critic.any_policy import AnyContinuousPolicy
from ppl_control.inference.reinforcement.soft_actor_critic.continuous import ContinuousActions
from ppl_control.inference.reinforcement.soft_actor_critic.discrete import DiscreteActions
from ppl_control.inference.reinforcement.soft_actor_critic.losses import actor_loss
from ppl_control.mdp.continuous import is_bounded
from ppl_control.policies import CategoricalMLP, FlowPolicy, SquashedGaussianMLP
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.action_prior import ActionPrior

B, N, M, A = 64, 3, 2, 4
LOW, HIGH = torch.tensor([-2.0, 0.0], dtype=torch.float64), torch.tensor([1.0, 3.0], dtype=torch.float64)
ALPHA = 0.3
TEMPERATURE = torch.tensor(ALPHA, dtype=torch.float64)
GENERATOR = torch.Generator().manual_seed(0)


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=GENERATOR, dtype=torch.float64)


STATES = randn(B, N)


def twins(width: int, outputs: int) -> nn.Module:
    """Two critics in float64, so that equality can be asked for to many digits."""

    class Twins(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            with RandomStream(1):
                layers = [(nn.Linear(width, 16), nn.Linear(16, outputs)) for _ in range(2)]
            self.nets = nn.ModuleList(nn.Sequential(first, nn.Tanh(), last).double() for first, last in layers)

        def forward(self, state: Tensor, action: Tensor | None = None) -> Tensor:
            inputs = state if action is None else torch.cat([state, action], -1)
            q = torch.stack([net(inputs) for net in self.nets])
            return q if action is None else q.squeeze(-1)

    return Twins()


def away_from_start(policy: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += 0.3 * randn(*parameter.shape)
    return policy


def gradients(loss: Tensor, module: nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(module.parameters())))


def pyro_loss(policy: nn.Module, critic: nn.Module, base: dist.Distribution, elbo: Trace_ELBO, **infer) -> Tensor:
    """α times Pyro's loss of the one-step model, a state."""

    def model() -> None:
        with pyro.plate("states", B):
            action = pyro.sample("a", base.expand([B]))
            q = critic(STATES) if infer else critic(STATES, action)
            best = q.amin(0)
            factor = pyro.ops.indexing.Vindex(best)[torch.arange(B), action] if infer else best
            pyro.factor("O", factor / ALPHA)

    def guide() -> None:
        with pyro.plate("states", B):
            pyro.sample("a", policy(STATES), infer=infer)

    with RandomStream(7):
        return ALPHA * elbo.differentiable_loss(model, guide) / B


UNIFORM = dist.Uniform(LOW, HIGH, validate_args=False).to_event(1)
LOG_VOLUME = float((HIGH - LOW).log().sum())


def test_the_actor_loss_is_alpha_times_pyros_elbo_loss():
    policy = away_from_start(
        SquashedGaussianMLP(num_features=N, action_dim=M, low=LOW, high=HIGH, hidden=(8,), activation="relu")
    )
    critic = twins(N + M, 1)
    with RandomStream(7):
        noise = torch.randn(B, M, dtype=torch.float64)  # the draws that Pyro's rsample makes
    value, log_prob = ContinuousActions(policy, 0.0).soft_value(
        list(policy.network.parameters()), critic, STATES, noise, TEMPERATURE
    )
    ours = actor_loss(value)
    pyros = pyro_loss(policy, critic, UNIFORM, Trace_ELBO())
    torch.testing.assert_close(ours + ALPHA * LOG_VOLUME, pyros, rtol=1e-10, atol=0)
    for mine, theirs in zip(gradients(ours, policy), gradients(pyros, policy), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-8, atol=1e-12)
    with RandomStream(7):
        distribution = policy(STATES)
        torch.testing.assert_close(log_prob, distribution.log_prob(distribution.rsample()), rtol=1e-10, atol=1e-12)


def test_under_a_uniform_prior_the_two_are_equal_outright():
    policy = SquashedGaussianMLP(num_features=N, action_dim=M, low=LOW, high=HIGH, hidden=(8,))
    critic = twins(N + M, 1)
    with RandomStream(7):
        noise = torch.randn(B, M, dtype=torch.float64)
    value, _ = ContinuousActions(policy, -LOG_VOLUME).soft_value(
        list(policy.network.parameters()), critic, STATES, noise, TEMPERATURE
    )
    torch.testing.assert_close(actor_loss(value), pyro_loss(policy, critic, UNIFORM, Trace_ELBO()))


@pytest.mark.parametrize("prior", [None, "uniform"])
def test_a_flow_as_the_guide(prior: str | None):
    space = spaces.Box(LOW.numpy(), HIGH.numpy(), dtype="float64")
    assert is_bounded(space)
    flow = away_from_start(
        FlowPolicy(num_features=N, action_dim=M, low=LOW, high=HIGH, hidden=(8,), bins=4, dtype=torch.float64)
    )
    critic = twins(N + M, 1).float()
    actions = AnyContinuousPolicy(flow, ActionPrior(prior, space, torch.float32))
    with RandomStream(7):
        value, _ = actions.soft_value(
            list(flow.parameters()),
            lambda s, a: critic(s.float(), a).double(),
            STATES,
            torch.empty(2, 0),
            TEMPERATURE,
        )

    def double(state: Tensor, action: Tensor) -> Tensor:
        return critic(state.float(), action.float()).double()

    pyros = pyro_loss(flow, double, UNIFORM, Trace_ELBO())  # type: ignore[arg-type]
    missing = ALPHA * LOG_VOLUME if prior is None else 0.0
    torch.testing.assert_close(actor_loss(value).double() + missing, pyros, rtol=1e-5, atol=1e-5)


def test_the_discrete_loss_is_pyros_with_the_action_summed_out():
    policy = away_from_start(CategoricalMLP(A, num_features=N, hidden=(8,)))
    critic = twins(N, A)
    value, _ = DiscreteActions(policy, 0.0).soft_value(
        list(policy.network.parameters()), critic, STATES, torch.empty(0), TEMPERATURE
    )
    ours = actor_loss(value)
    base = dist.Categorical(logits=torch.zeros(A, dtype=torch.float64))
    pyros = pyro_loss(policy, critic, base, TraceEnum_ELBO(max_plate_nesting=1), enumerate="parallel")
    torch.testing.assert_close(ours + ALPHA * math.log(A), pyros, rtol=1e-10, atol=0)
    for mine, theirs in zip(gradients(ours, policy), gradients(pyros, policy), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-8, atol=1e-12)


def test_the_best_actor_is_the_posterior_and_its_loss_the_evidence():
    q = randn(2, B, A)
    best = (q.amin(0) / ALPHA).log_softmax(-1).requires_grad_()
    policy = CategoricalMLP(A, num_states=B, hidden=())  # one row of weights a state: a table
    with torch.no_grad():
        policy.network.head.weight.copy_(best.T)
        policy.network.head.bias.zero_()
    value, _ = DiscreteActions(policy, 0.0).soft_value(
        list(policy.network.parameters()), lambda s: q, torch.arange(B), torch.empty(0), TEMPERATURE
    )
    torch.testing.assert_close(value, ALPHA * (q.amin(0) / ALPHA).logsumexp(-1))
    slope = torch.cat([g.flatten() for g in gradients(actor_loss(value), policy)])
    torch.testing.assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-12)
