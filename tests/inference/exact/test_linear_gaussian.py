"""Riccati and LEQG against one dense Gaussian over whole trajectories."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ppl_control.guides.affine import AffineGaussianDynamics
from ppl_control.inference.exact import moments as mo
from ppl_control.inference.exact.linear_gaussian import BreakdownError, posterior_control, variational_control
from ppl_control.mdp.linear_gaussian import LinearGaussianMDP
from ppl_control.policies.linear_gaussian import LinearGaussianPolicy, LinearGaussianTables
from tests import dense_gaussian as dg
from tests.linear_problems import believed, mdp_of, prior_of, problems, random_policy, scalar, tables_of


def solve(method, problem: dg.Problem, **changes):
    return method(mdp_of(problem), problem.horizon, problem.temperature, prior=prior_of(problem), **changes)


@given(problems())
def test_posterior_is_the_dense_posterior(problem: dg.Problem):
    joint = dg.dense(problem)
    assume(joint.least > 1e-6)
    answer = solve(posterior_control, problem)
    assert answer.log_evidence_bound == pytest.approx(joint.log_evidence, rel=1e-9, abs=1e-9)
    # Policy, tilted noise and first state at once: the law of the whole trajectory is the posterior's.
    mean, covariance = dg.law(problem, believed(tables_of(answer), answer.dynamics))
    exact_mean, exact_covariance = joint.posterior
    scale = np.sqrt(np.outer(exact_covariance.diagonal(), exact_covariance.diagonal()))
    np.testing.assert_allclose(mean, exact_mean, atol=1e-8 * (1 + np.abs(exact_mean).max()))
    assert (np.abs(covariance - exact_covariance) <= 1e-8 * (scale + 1e-3)).all()


@given(problems())
def test_posterior_reaches_log_evidence_as_its_own_bound(problem: dg.Problem):
    assume(dg.dense(problem).least > 1e-6)
    answer = solve(posterior_control, problem)
    bound = mo.elbo(
        mdp_of(problem), tables_of(answer), problem.temperature, prior=prior_of(problem), dynamics=answer.dynamics
    )
    assert float(bound) == pytest.approx(answer.log_evidence_bound, rel=1e-8, abs=1e-8)


def test_a_first_state_of_correlated_axes_on_a_plane():
    """Cholesky's last pivot of this one is three times what rounding alone would leave; its rank is 2 all the same."""
    problem = dg.random_problem(1, horizon=1, rank=2, first=2, bend=0.0, prior=None)
    answer = solve(posterior_control, problem)
    bound = mo.elbo(mdp_of(problem), tables_of(answer), problem.temperature, dynamics=answer.dynamics)
    assert float(bound) == pytest.approx(dg.dense(problem).log_evidence, rel=1e-9)


@given(problems(), st.sampled_from([1.0, 0.8]), st.integers(0, 1000))
def test_variational_is_the_best_of_all_policies(problem: dg.Problem, discount: float, seed: int):
    assume(dg.dense(problem).least > 1e-6)
    mdp, prior = mdp_of(problem), prior_of(problem)
    try:
        answer = solve(variational_control, problem, discount=discount)
    except BreakdownError:
        assert discount < 1  # a finite evidence bounds the bound
        assume(False)
    best = tables_of(answer)
    parts = [x.clone().requires_grad_() for x in (best.gain, best.offset, best.covariance)]
    bound = mo.elbo(mdp, LinearGaussianTables(*parts), problem.temperature, discount, prior)
    assert bound.item() == pytest.approx(answer.log_evidence_bound, rel=1e-9, abs=1e-9)
    for part, slope in zip(parts, torch.autograd.grad(bound, parts), strict=True):
        assert slope.abs().max() <= 1e-8 * (1 + part.abs().max()) * (1 + bound.abs())
    other = mo.elbo(mdp, random_policy(problem, seed), problem.temperature, discount, prior)
    assert float(other) <= answer.log_evidence_bound + 1e-9


@given(problems())
def test_evidence_is_at_least_the_best_bound(problem: dg.Problem):
    assume(dg.dense(problem).least > 1e-6)
    evidence = solve(posterior_control, problem)
    bound = solve(variational_control, problem)
    assert evidence.log_evidence_bound >= bound.log_evidence_bound - 1e-9 * (1 + abs(bound.log_evidence_bound))


@given(problems())
def test_without_noise_there_is_no_luck(problem: dg.Problem):
    n = len(problem.A)
    problem = dg.replaced(problem, W=np.zeros((n, n)), spread=np.zeros((n, n)))
    assume(dg.dense(problem).least > 1e-6)
    evidence, bound = solve(posterior_control, problem), solve(variational_control, problem)
    assert evidence.log_evidence_bound == pytest.approx(bound.log_evidence_bound, rel=1e-12, abs=1e-12)
    torch.testing.assert_close(evidence.gain, bound.gain)
    torch.testing.assert_close(evidence.dynamics.A[0], torch.as_tensor(problem.A))
    assert not evidence.dynamics.covariance.any()


@settings(max_examples=10)
@given(problems(max_horizon=3), st.integers(0, 1000))
def test_values_are_bounds_from_every_state(problem: dg.Problem, seed: int):
    """V_0 of a state is the bound of the problem that starts there; V_T is the final reward."""
    assume(dg.dense(problem).least > 1e-6)
    states = torch.as_tensor(np.random.default_rng(seed).normal(size=(2, len(problem.A))))
    for method in (posterior_control, variational_control):
        answer = solve(method, problem)
        for state, value in zip(states, answer.value(states), strict=True):
            start = mdp_of(problem).with_initial(state)
            moved = method(start, problem.horizon, problem.temperature, prior=prior_of(problem))
            assert moved.log_evidence_bound * problem.temperature == pytest.approx(float(value), rel=1e-9, abs=1e-9)
        torch.testing.assert_close(answer.value(states, problem.horizon), mdp_of(problem).final_reward(states))


def test_noise_moves_only_the_constant_of_the_variational_solution():
    calm, wild = (variational_control(scalar(noise=w), 5) for w in (0.0, 3.0))
    assert torch.equal(calm.gain, wild.gain)
    assert torch.equal(calm.covariance, wild.covariance)
    assert torch.equal(calm.value_matrix, wild.value_matrix)
    assert calm.value_constant[0] > wild.value_constant[0]


def test_more_noise_makes_the_posterior_lazier():
    gains = [float(posterior_control(scalar(noise=w), 5).gain[0]) for w in (0.0, 0.3, 3.0)]
    assert gains[0] > gains[1] > gains[2] > 0


def test_a_prior_makes_up_for_actions_that_cost_nothing():
    free = scalar(action_cost=0.0, final_state_cost=0.0)
    wide = torch.distributions.MultivariateNormal(torch.zeros(1), 4 * torch.eye(1))
    for method in (posterior_control, variational_control):
        with pytest.raises(ValueError, match=r"at time 4 of 5: R \+ .* smallest eigenvalue is 0; .* action_prior"):
            method(free, 5)
        # The last action has no consequence: it follows the prior.
        answer = method(free, 5, prior=wide)
        torch.testing.assert_close(answer.covariance[-1], 4 * torch.eye(1, dtype=torch.float64))
        assert answer.gain[-1] == 0


def test_any_form_of_prior_is_the_same_prior():
    covariance = torch.tensor([[4.0]], dtype=torch.float64)
    nothing = torch.zeros(1, dtype=torch.float64)
    forms = [
        LinearGaussianPolicy(torch.zeros(1, 1, dtype=torch.float64), covariance),
        LinearGaussianPolicy(torch.zeros(5, 1, 1, dtype=torch.float64), covariance),
        torch.distributions.MultivariateNormal(nothing, covariance),
        torch.distributions.Independent(torch.distributions.Normal(nothing, 2 * torch.ones(1)), 1),
    ]
    bounds = [posterior_control(scalar(), 5, prior=form).log_evidence_bound for form in forms]
    assert bounds == pytest.approx([bounds[0]] * 4, rel=1e-12)
    with pytest.raises(ValueError, match=r"policy: expected LinearGaussianPolicy .* got Laplace"):
        variational_control(scalar(), 5, prior=torch.distributions.Laplace(0.0, 1.0))
    with pytest.raises(ValueError, match=r"policy: expected gains \[4, 1, 1\], got \(5, 1, 1\)"):
        variational_control(scalar(), 4, prior=forms[1])


def test_the_posterior_knows_no_discount():
    with pytest.raises(ValueError, match=r"discount: .* for discount 1 only, got 0.9: .* SoftValueIteration"):
        posterior_control(scalar(), 5, discount=0.9)


def test_discounted_values_meet_the_discounted_riccati_equation():
    """Far from the horizon P solves P = Q + γAᵀPA − γ²AᵀPB(R + γBᵀPB)⁻¹BᵀPA."""
    mdp = LinearGaussianMDP(1.2, 0.5, 0.1, 1.0, 0.5, initial_mean=1.0)
    p = float(variational_control(mdp, 400, discount=0.9).value_matrix[0])
    assert p == pytest.approx(1 + 0.9 * 1.44 * p - (0.9 * 1.2 * 0.5 * p) ** 2 / (0.5 + 0.9 * 0.25 * p), rel=1e-12)


def test_answers_come_in_the_type_of_the_world():
    mdp = LinearGaussianMDP(1.0, 1.0, 0.3, 1.0, 0.5, initial_mean=2.0, final_state_cost=1.0, dtype=torch.float32)
    answer = posterior_control(mdp, 5)
    assert answer.gain.dtype == answer.dynamics.A.dtype == answer.policy().gain.dtype == torch.float32
    assert answer.log_evidence_bound == pytest.approx(-4.176423, abs=1e-5)
    assert isinstance(answer.dynamics, AffineGaussianDynamics)


@pytest.mark.parametrize("seed", range(4))
def test_singular_noise_in_single_precision(seed: int):
    """Rounding to float32 leaves no exact zero eigenvalue; the support is still recognised."""
    problem = dg.random_problem(seed, rank=1, first=1, bend=0.0, prior="linear")
    mdp = mdp_of(problem)
    single = LinearGaussianMDP(
        mdp.A, mdp.B, mdp.noise_covariance, mdp.state_cost, mdp.action_cost, initial_mean=mdp.initial_mean,
        initial_covariance=mdp.initial_covariance, final_state_cost=mdp.final_state_cost, dtype=torch.float32,
    )  # fmt: skip
    prior = prior_of(problem)
    exact = posterior_control(mdp, problem.horizon, problem.temperature, prior=prior)
    answer = posterior_control(single, problem.horizon, problem.temperature, prior=prior)
    assert answer.log_evidence_bound == pytest.approx(exact.log_evidence_bound, rel=1e-5, abs=1e-5)
    bound = mo.elbo(single, tables_of(answer), problem.temperature, prior=prior, dynamics=answer.dynamics)
    assert float(bound) == pytest.approx(exact.log_evidence_bound, rel=1e-4, abs=1e-4)
    state = single.initial().expand((50,)).sample()
    action = answer.policy()(state, 0).sample()
    following = answer.dynamics.transition(state, action, 0).sample()
    assert single.transition(state, action).log_prob(following).isfinite().all()
