"""Exact moments against the dense law of whole trajectories."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from ppl_control.guides.affine import AffineGaussianDynamics
from ppl_control.inference.exact import moments as mo
from ppl_control.inference.exact.linear_gaussian import posterior_control
from tests import dense_gaussian as dg
from tests.linear_problems import believed, mdp_of, prior_of, problems, random_policy, scalar, tables_of

policies = st.integers(0, 1000)


@given(problems(), policies, st.sampled_from([1.0, 0.8]))
def test_marginals_and_returns(problem: dg.Problem, seed: int, discount: float):
    policy = random_policy(problem, seed)
    joint, dynamics = dg.dense(problem), AffineGaussianDynamics.of(mdp_of(problem), problem.horizon)
    q = dg.law(problem, believed(policy, dynamics))
    found = mo.moments(dynamics, policy)
    for terms, means, covariances in (
        (joint.states, found.state_mean, found.state_covariance),
        (joint.actions, found.action_mean, found.action_covariance),
    ):
        for term, mean, covariance in zip(terms, means, covariances, strict=True):
            expected = dg.marginal(term, *q)
            np.testing.assert_allclose(mean, expected[0], atol=1e-9 * (1 + np.abs(expected[0]).max()))
            np.testing.assert_allclose(covariance, expected[1], atol=1e-9 * (1 + np.abs(expected[1]).max()))
    value = mo.expected_return(mdp_of(problem), found, discount)
    assert float(value) == pytest.approx(dg.expected_return(problem, joint, *q, discount), rel=1e-9, abs=1e-9)


@given(problems(), policies)
def test_elbo_in_the_true_dynamics(problem: dg.Problem, seed: int):
    policy = random_policy(problem, seed)
    joint = dg.dense(problem)
    bound = mo.elbo(mdp_of(problem), policy, problem.temperature, prior=prior_of(problem))
    tables = believed(policy, AffineGaussianDynamics.of(mdp_of(problem), problem.horizon)).policy
    expected = dg.elbo(joint, *dg.law(problem, dg.honest(problem, tables)))
    assert float(bound) == pytest.approx(expected, rel=1e-8, abs=1e-8)


@given(problems(max_horizon=3), policies, policies)
def test_elbo_in_believed_dynamics(problem: dg.Problem, seed: int, other: int):
    """Any dynamics with the same support, singular or not: the noise of the posterior of another problem."""
    dreamt = dg.dense(dg.replaced(problem, Q=problem.Q + np.eye(len(problem.A)) * (other % 3)))
    assume(dreamt.least > 1e-4)
    world = dg.replaced(problem, Q=problem.Q + np.eye(len(problem.A)) * (other % 3))
    dynamics = posterior_control(mdp_of(world), world.horizon, world.temperature, prior=prior_of(world)).dynamics
    policy = random_policy(problem, seed)
    mdp, joint = mdp_of(problem), dg.dense(problem)
    bound = mo.elbo(mdp, policy, problem.temperature, prior=prior_of(problem), dynamics=dynamics)
    expected = dg.elbo(joint, *dg.law(problem, believed(policy, dynamics)))
    assert float(bound) == pytest.approx(expected, rel=1e-7, abs=1e-7)
    q = dg.law(problem, believed(policy, dynamics))
    for noise, mean, covariance in zip(joint.noises, *mo.noise_marginals(mdp, dynamics, policy), strict=True):
        centre, spread = dg.marginal(noise, *q)
        np.testing.assert_allclose(mean, centre, atol=1e-8 * (1 + np.abs(centre).max()))
        np.testing.assert_allclose(covariance, spread, atol=1e-8 * (1 + np.abs(spread).max()))


def test_dynamics_off_the_true_support_cost_everything():
    mdp = scalar(noise=0.0)
    answer = posterior_control(mdp, 5)
    policy, dynamics = tables_of(answer), answer.dynamics
    assert mo.dynamics_divergence(mdp, dynamics, policy) == 0
    for name in ("A", "B", "offset", "covariance", "initial_mean", "initial_covariance"):
        moved = {key: table.clone() for key, table in dynamics.settings.items()}
        moved[name] += 0.1
        wrong = AffineGaussianDynamics(**moved)
        assert mo.dynamics_divergence(mdp, wrong, policy) == torch.inf, name
        assert mo.elbo(mdp, policy, 1.0, dynamics=wrong) == -torch.inf


def test_divergence_of_one_step_by_hand():
    """KL(N(0.5 + 0.1 (x + u), 0.2) ‖ N(x + u, 0.3)) averaged over x + u, of mean 2 − 1 and variance 0.5."""
    mdp = scalar()
    one = torch.ones(1, 1, 1, dtype=torch.float64)
    policy = mo.LinearGaussianTables(0.5 * one, 0.0 * one[0], 0.5 * one)
    dynamics = AffineGaussianDynamics(0.1 * one, 0.1 * one, 0.5 * one[0], 0.2 * one, mdp.initial_mean, 0 * one[0])
    squared = 0.9**2 * 0.5 + (0.5 - 0.9 * 1.0) ** 2
    expected = 0.5 * (0.2 / 0.3 - 1 - np.log(0.2 / 0.3) + squared / 0.3)
    assert float(mo.dynamics_divergence(mdp, dynamics, policy)) == pytest.approx(expected, rel=1e-12)


def test_returns_meet_sampled_trajectories():
    """A check through the MDP's own functions: rewards of draws from its distributions."""
    problem = dg.random_problem(3, rank=2, prior="linear")
    mdp, policy = mdp_of(problem), random_policy(problem, 0)
    n = 100_000
    torch.manual_seed(0)
    state = mdp.initial().expand((n,)).sample()
    total = torch.zeros(n, dtype=torch.float64)
    for gain, offset, covariance in zip(policy.gain, policy.offset, policy.covariance, strict=True):
        action = torch.distributions.MultivariateNormal(offset - state @ gain.mT, covariance).sample()
        following = mdp.transition(state, action).sample()
        total += mdp.reward(state, action, following)
        state = following
    total += mdp.final_reward(state)
    expected = mo.expected_return(mdp, mo.moments(AffineGaussianDynamics.of(mdp, problem.horizon), policy))
    assert float(expected) == pytest.approx(float(total.mean()), abs=4 * float(total.std()) / n**0.5)


def test_gradients_reach_the_policy():
    problem = dg.random_problem(2, prior="zero")
    mdp, prior = mdp_of(problem), prior_of(problem)
    policy = random_policy(problem, 1)
    parts = [policy.gain, policy.offset, policy.covariance]

    def bound(gain, offset, factor):
        tables = mo.LinearGaussianTables(gain, offset, factor @ factor.mT)
        return mo.elbo(mdp, tables, 0.7, 0.9, prior)

    inputs = [parts[0], parts[1], torch.linalg.cholesky(parts[2])]
    assert torch.autograd.gradcheck(bound, [part.clone().requires_grad_() for part in inputs])
