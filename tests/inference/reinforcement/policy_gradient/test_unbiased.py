"""One epoch in one piece is the plain policy gradient: right on average, whatever the baseline."""

import math

import numpy as np
import pytest
import torch

from ppl_control import SimulatorMDP, TrajectoryModel
from ppl_control.inference.reinforcement.policy_gradient import SoftPolicyGradient
from ppl_control.inference.reinforcement.policy_gradient.exact import exact_gradient
from ppl_control.inference.reinforcement.policy_gradient.rollout import play
from ppl_control.inference.reinforcement.policy_gradient.update import batch_of, learn, policy_loss
from ppl_control.inference.reinforcement.policy_gradient.value import ValueNetwork
from ppl_control.policies import MixtureMLP, SquashedGaussianMLP, TabularPolicy
from ppl_control.policies.network import StateInputs
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.worlds import Worlds
from tests.inference.reinforcement.policy_gradient.tables import Played, Target, objective
from tests.problems import random_problem

GROUPS, TOGETHER, EPISODES = 40, 20, 12  # samples of the gradient; environments of each, and episodes of those


def sampled(model, policy, value, length):
    """Estimates of the gradient by whole episodes of so many steps, [groups, numbers]."""
    n, steps = GROUPS * TOGETHER, EPISODES * length
    worlds = Worlds(model.mdp, n, 0, model.horizon)
    with RandomStream(0):
        batch = batch_of(model, value, play(model, policy, worlds, np.zeros(n, dtype=np.int64), steps), 1.0)
        rows = torch.arange(n * steps).view(steps, GROUPS, TOGETHER)
        found = []
        for group in range(GROUPS):
            loss, log_ratio = policy_loss(model, policy, batch.rows(rows[:, group].reshape(-1)), 0.2)
            assert float(log_ratio.detach().abs().max()) < 1e-5  # the policy that played
            slopes = torch.autograd.grad(-length * loss, list(policy.parameters()))
            found.append(torch.cat([slope.reshape(-1) for slope in slopes]))
    worlds.close()
    return torch.stack(found).double()


def deviations(found, truth):
    """How far the mean is from the truth, in its standard errors, at worst."""
    error = found.std(0) / GROUPS**0.5
    return float(((found.mean(0) - truth).abs() / error.clamp(min=1e-12))[error > 1e-9].max())


@pytest.mark.parametrize("prior", ["base", "policy"])
def test_tables_that_are_played(prior):
    """Against the exact gradient; gradients of other objectives are told apart."""
    problem = random_problem(5, states=2, actions=3, horizon=3, temperature=0.6, prior=prior, ends=False)
    exact = problem.model()
    mdp = SimulatorMDP(Played, problem=problem)
    model = TrajectoryModel(mdp, horizon=3, temperature=0.6, action_prior=exact.action_prior)
    random = torch.Generator().manual_seed(2)
    policy = TabularPolicy(torch.randn(3, 2, 3, generator=random, dtype=torch.float64))
    value = ValueNetwork(StateInputs(num_states=2, horizon=3, dtype=torch.float64), hidden=(8,))
    torch.nn.init.normal_(value.network.head.weight, generator=random)  # an arbitrary baseline
    found = sampled(model, policy, value, 3)
    _, gradient = exact_gradient(exact, policy)
    assert deviations(found, gradient["logits"].reshape(-1)) < 4
    _, colder = exact_gradient(exact.replaced(temperature=0.1), policy)
    assert deviations(found, colder["logits"].reshape(-1)) > 8
    plainly = objective(problem, torch.log_softmax(policy.logits, -1), 3)
    (slope,) = torch.autograd.grad(plainly, policy.logits)
    torch.testing.assert_close(slope, gradient["logits"])  # the oracle is the same objective


def test_one_epoch_in_one_piece_is_one_step_along_it():
    model = TrajectoryModel(SimulatorMDP("CartPole-v1"), temperature=0.7, discount=0.9)
    method = SoftPolicyGradient(epochs=1, minibatches=1, max_gradient_norm=math.inf, environments=4, rollout_length=20)
    state = method.init(model, 1)
    torch.nn.init.normal_(state.policy.network.head.weight, generator=torch.Generator().manual_seed(0))
    with RandomStream(0):
        rollout = play(model, state.policy, state.worlds, state.time, 20)
        batch = batch_of(model, state.value, rollout, method.gae_lambda)
    q = state.policy(batch.state)
    gain = (q.log_prob(batch.action) * batch.advantage + 0.7 * q.entropy()).mean() / batch.advantage.std(correction=0)
    weights = list(state.policy.parameters())
    slopes = torch.autograd.grad(gain, weights)
    wanted = [weight + 0.1 * slope for weight, slope in zip(weights, slopes, strict=True)]
    optimizer = torch.optim.SGD([*state.policy.parameters(), *state.value.parameters()], lr=0.1)
    with RandomStream(0):
        learned = learn(method, model, state.policy, state.value, optimizer, batch, 80)
    state.close()
    assert float(learned["kl"]) == pytest.approx(0, abs=1e-6)
    assert float(learned["clipped"]) == 0
    for moved, target in zip(state.policy.parameters(), wanted, strict=True):
        torch.testing.assert_close(moved, target, rtol=0, atol=1e-6)


@pytest.mark.parametrize("family", [SquashedGaussianMLP, MixtureMLP])
def test_continuous_actions(family):
    """Against quadrature: the first family has a reparameterised entropy, the second goes by the score alone."""
    model = TrajectoryModel(SimulatorMDP(Target), horizon=1, temperature=0.8)
    policy = family(num_features=1, action_dim=1, low=-1.0, high=2.0, hidden=(2,), seed=1, dtype=torch.float64)
    random = torch.Generator().manual_seed(3)
    with torch.no_grad():
        policy.network.head.bias += 0.3 * torch.randn(policy.network.head.bias.shape, generator=random).double()
    value = ValueNetwork(StateInputs(num_features=1, dtype=torch.float64), hidden=(2,))
    with torch.no_grad():
        value.network.head.bias.fill_(2.0)
    found = sampled(model, policy, value, 1)

    x = torch.linspace(-9.0, 9.0, 20_001, dtype=torch.float64)  # a = −1 + 3 (1 + tanh x) / 2
    action, width = 0.5 + 1.5 * torch.tanh(x), 1.5 / torch.cosh(x) ** 2 * (x[1] - x[0])
    log_q = policy(torch.zeros(1, dtype=torch.float64)).log_prob(action[:, None])
    assert float((width * log_q.exp()).sum().detach()) == pytest.approx(1, abs=1e-4)

    def truth(temperature):
        value = (width * log_q.exp() * (-((action - 0.5) ** 2) - temperature * log_q)).sum()
        slopes = torch.autograd.grad(value, list(policy.parameters()), retain_graph=True)
        return torch.cat([slope.reshape(-1) for slope in slopes])

    assert deviations(found, truth(0.8)) < 4
    assert deviations(found, truth(2.4)) > 8
