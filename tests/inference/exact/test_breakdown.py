"""Breakdown is found where the dense precision stops being positive definite, and named."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from ppl_control.inference.exact.linear_gaussian import BreakdownError, posterior_control, variational_control
from ppl_control.mdp.linear_gaussian import LinearGaussianMDP
from ppl_control.policies.linear_gaussian import LinearGaussianTables
from tests import dense_gaussian as dg
from tests.linear_problems import mdp_of, prior_of, problems, scalar


def breaks(problem: dg.Problem) -> bool:
    try:
        posterior_control(mdp_of(problem), problem.horizon, problem.temperature, prior=prior_of(problem))
    except BreakdownError:
        return True
    return False


@given(problems(), st.floats(0.5, 6.0))
def test_breakdown_is_the_dense_one(problem: dg.Problem, bend: float):
    problem = dg.replaced(problem, Q=problem.Q - bend * np.eye(len(problem.A)))
    least = dg.dense(problem).least
    assume(abs(least) > 1e-9)
    assert breaks(problem) == (least < 0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("prior", [None, "linear"])
def test_breakdown_begins_at_the_same_temperature(seed: int, prior: str | None):
    """Bisected by both: states far away are rewarded, so that less temperature is more danger."""
    problem = dg.random_problem(seed, rank=1, prior=prior)
    away, still = -0.4 * np.eye(len(problem.A)), 100 * np.eye(len(problem.R))
    problem = dg.replaced(problem, Q=away, final=away, R=problem.R + still)

    def border(bad) -> float:
        low, high = 1e-3, 1e3
        assert bad(dg.replaced(problem, temperature=low))
        assert not bad(dg.replaced(problem, temperature=high))
        for _ in range(36):
            middle = float(np.sqrt(low * high))
            low, high = (middle, high) if bad(dg.replaced(problem, temperature=middle)) else (low, middle)
        return high

    assert border(breaks) == pytest.approx(border(lambda p: dg.dense(p).least <= 0), rel=1e-8)


def rewarded(**changes) -> LinearGaussianMDP:
    """A state that is worth being far away."""
    settings = {"initial_mean": 0.0} | changes
    return LinearGaussianMDP(1.0, 1.0, settings.pop("noise", 0.3), -0.4, 2.0, **settings)


def test_the_message_names_time_matrix_eigenvalue_and_a_way_out():
    message = (
        r"breakdown at time 0 of 2: I \+ \(2/α\) W\^½ P W\^½ is not positive definite, its smallest eigenvalue is "
        r"-1\.4; raise the temperature \(now 0\.1\), lower the noise, or use .*SoftValueIteration"
    )
    with pytest.raises(BreakdownError, match=message) as caught:
        posterior_control(rewarded(), 2, temperature=0.1)
    assert caught.value.eigenvalue == pytest.approx(1 - 0.4 * 0.3 * 2 / 0.1)
    assert isinstance(caught.value, ValueError)
    assert variational_control(rewarded(), 2, temperature=0.1).gain[0] < 0


def test_breakdown_of_the_actions():
    pushed = LinearGaussianMDP(1.0, 1.0, 0.0, 0.0, 1.0, initial_mean=0.0, final_state_cost=-1.5)
    message = r"at time 4 of 5: R \+ {}, its smallest eigenvalue is -0\.5; raise action_cost"
    with pytest.raises(BreakdownError, match=message.format("γBᵀPB is not positive definite")):
        variational_control(pushed, 5)
    with pytest.raises(BreakdownError, match=message.format("BᵀP̃B is not positive definite")):
        posterior_control(pushed, 5)
    # A prior narrow enough stands for the missing cost: α/2 / 0.9 > 0.5.
    for method in (variational_control, posterior_control):
        method(pushed, 1, prior=_centred(0.9))
        with pytest.raises(BreakdownError, match=r"α/2 Σ₀⁻¹ is not positive definite"):
            method(pushed, 1, prior=_centred(1.1))


def _centred(variance: float) -> torch.distributions.MultivariateNormal:
    return torch.distributions.MultivariateNormal(torch.zeros(1), variance * torch.eye(1))


def test_breakdown_at_the_first_state():
    wide = rewarded(noise=0.0, initial_covariance=10.0)
    with pytest.raises(BreakdownError, match=r"breakdown at the first state: I \+ .* S the initial covariance"):
        posterior_control(wide, 1)
    posterior_control(wide, 1, temperature=9.0)


def test_axes_of_very_different_units_are_no_breakdown():
    costs = np.diag([1e9, 1e-9])
    mdp = LinearGaussianMDP(np.eye(2), np.eye(2), np.diag([1e-6, 1e6]), costs, costs, initial_mean=[0.0, 0.0])
    answer = posterior_control(mdp, 3)
    assert (answer.covariance.diagonal(dim1=-2, dim2=-1) > 0).all()


def test_numbers_beyond_floating_point():
    mdp = LinearGaussianMDP(1e60, 1e-60, 0.0, 1.0, 1.0, initial_mean=1.0, final_state_cost=1.0)
    with pytest.raises(BreakdownError, match=r"no longer finite: shorten the horizon"):
        variational_control(mdp, 10)


def test_a_singular_prior_is_refused():
    zero = torch.zeros(5, 1, 1, dtype=torch.float64)
    with pytest.raises(BreakdownError, match=r"at time 4 of 5: the action prior's covariance"):
        variational_control(scalar(), 5, prior=LinearGaussianTables(zero, zero[..., 0], zero))
