"""The scalar problem of the theory, and a published regulator."""

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal

from ppl_control.guides.affine import AffineGaussianDynamics
from ppl_control.inference.exact import moments as mo
from ppl_control.inference.exact.linear_gaussian import posterior_control, variational_control
from ppl_control.mdp import LinearGaussianMDP
from ppl_control.policies.linear_gaussian import tabulate_linear_gaussian
from tests.linear_problems import tables_of
from tests.oracles import assert_oracle, read, rows

FILE = read("linear_gaussian")
PROBLEM, LQR = FILE["problem"], FILE["lqr"]
HORIZON = PROBLEM["T"]
PRIORS = {"Lebesgue": None, "N(0,4.0I)": MultivariateNormal(torch.zeros(1), 4 * torch.eye(1))}


def world(noise: float | None = None) -> LinearGaussianMDP:
    return LinearGaussianMDP(
        PROBLEM["A"], PROBLEM["B"], PROBLEM["W"] if noise is None else noise, PROBLEM["Q"], PROBLEM["R"],
        initial_mean=PROBLEM["x0"], final_state_cost=PROBLEM["QT"],
    )  # fmt: skip


def tables(row: dict):
    prior = PRIORS[row["prior"]]
    return None if prior is None else tabulate_linear_gaussian(prior, 1, 1, HORIZON)


def executed(answer) -> torch.Tensor:
    policy = tables_of(answer)
    return mo.expected_return(world(), mo.moments(AffineGaussianDynamics.of(world(), HORIZON), policy))


@pytest.mark.parametrize("row", rows("linear_gaussian"))
def test_fixed_dynamics(row: dict):
    expected, alpha = row["VAR"], row["alpha"]
    answer = variational_control(world(), HORIZON, alpha, prior=PRIORS[row["prior"]])
    assert_oracle(answer.gain[0], expected["K0"])
    assert_oracle(answer.covariance[0], expected["Sigma0"])
    assert_oracle(answer.value_matrix[0], expected["P0"])
    for value in (answer.value(world().initial_mean), answer.log_evidence_bound * alpha):
        assert_oracle(value, expected["V0"])
        assert_oracle(value, expected["V0_check_moments"])
    assert_oracle(mo.elbo(world(), tables_of(answer), alpha, prior=tables(row)) * alpha, expected["V0"])
    assert_oracle(executed(answer), expected["actual_return"])


@pytest.mark.parametrize("row", rows("linear_gaussian"))
def test_posterior(row: dict):
    expected, alpha = row["OPT"], row["alpha"]
    answer = posterior_control(world(), HORIZON, alpha, prior=PRIORS[row["prior"]])
    assert_oracle(answer.gain[0], expected["K0"])
    assert_oracle(answer.covariance[0], expected["Sigma0"])
    assert_oracle(answer.value_matrix[0], expected["P0"])
    for name in ("logZ", "logZ_check_bruteforce"):
        assert_oracle(answer.log_evidence_bound, expected[name])
    assert_oracle(answer.value(world().initial_mean), expected["alphaLogZ"])
    policy, prior = tables_of(answer), tables(row)
    assert_oracle(mo.elbo(world(), policy, alpha, prior=prior, dynamics=answer.dynamics), expected["logZ"])
    honest = mo.elbo(world(), policy, alpha, prior=prior) * alpha
    assert_oracle(honest, expected["ELBO_under_true_dynamics"])
    found = mo.moments(answer.dynamics, policy)
    assert_oracle(mo.expected_return(world(), found), expected["believed_return"])
    assert_oracle(executed(answer), expected["actual_return"])
    assert_oracle(found.action_mean[0, 0], expected["u0_mean_check"])
    assert_oracle(found.action_covariance[0, 0, 0], expected["u0_cov_check"])
    assert_oracle(found.state_mean[-1], expected["posterior_mean_xT"])
    noise, _ = mo.noise_marginals(world(), answer.dynamics, policy)
    assert_oracle(noise[0], expected["posterior_mean_w0"])


@pytest.mark.parametrize("row", rows("linear_gaussian")[::2])
def test_the_mode_of_the_variational_policy_is_the_regulator(row: dict):
    """Lebesgue and no exploration: the ordinary optimal return, whatever the temperature."""
    best = variational_control(world(), HORIZON, row["alpha"])
    policy = mo.LinearGaussianTables(best.gain, best.offset, 0 * best.covariance)
    value = mo.expected_return(world(), mo.moments(AffineGaussianDynamics.of(world(), HORIZON), policy))
    assert_oracle(value, row["LQR_alpha0_optimal_return"])


@pytest.mark.parametrize("method", [variational_control, posterior_control])
def test_published_regulator(method):
    cost = LQR["Q"] * np.eye(2)
    mdp = LinearGaussianMDP(
        LQR["A"], LQR["B"], np.zeros((2, 2)), cost, LQR["R"], initial_mean=[0.0, 0.0], final_state_cost=cost
    )
    answer = method(mdp, LQR["T"])
    np.testing.assert_allclose(-answer.gain[0], LQR["minus_K0"], rtol=0, atol=5e-7)
    np.testing.assert_allclose(answer.value_matrix[0], LQR["P0"], rtol=0, atol=5e-7)
