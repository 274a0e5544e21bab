"""Policy gradient and soft Q-learning are one gradient: Schulman, Chen and Abbeel (2017), arXiv 1704.06440."""

import pytest
import torch

from ppl_control.inference.exact.recursions import guide_values, occupancies
from ppl_control.inference.exact.stationary.guides import stationary_values, visits
from ppl_control.inference.reinforcement.policy_gradient.exact import exact_gradient
from ppl_control.trajectory.tables import GuideTables
from tests.inference.reinforcement.policy_gradient.tables import Boltzmann
from tests.problems import random_problem

CASES = [(seed, prior, timed) for seed, prior in enumerate(("base", "uniform", "policy", "timed"))
         for timed in (True, False) if timed or prior != "timed"]  # fmt: skip


def truth(model, log_policy):
    """How often each state is met and the policy's true soft values, d, v and q, reward units."""
    tables, guide = model.tables, GuideTables(log_policy)
    if model.horizon is None:
        value, q = stationary_values(tables, guide)
        return visits(tables, guide), value * model.temperature, q * model.temperature
    value, q = guide_values(tables, guide)
    return occupancies(tables, guide)[:-1, :-1], value[:-1] * model.temperature, q * model.temperature


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
@pytest.mark.parametrize(("seed", "prior", "timed"), CASES)
def test_soft_q_gradient_is_policy_gradient_and_value_error(seed, prior, timed, scale):
    """∇ E_d,π ½ (Q_θ − q)² = −α ∇J(π_θ) + ∇ E_d ½ (V_θ − v)².

    Let V_θ(s) = α log Σ_a π0 exp(Q_θ/α) and π = π0 exp((Q_θ − V_θ)/α), so that Q_θ = V_θ + α log π/π0. Let d be
    the (discounted) visits under π, q(s,a) its true soft value of an action (the mean of any on-policy target:
    the whole return, n steps or λ, less α log π/π0 of the later choices) and v = Σ_a π [q − α log π/π0]. The loss
    of soft Q-learning holds d, π and q fixed; its gradient at θ is

        Σ_s d Σ_a π (Q_θ − q) ∇Q_θ,   where   Q_θ − q = (V_θ − v) + (v + α log π/π0 − q)
                                         and   ∇Q_θ = ∇V_θ + α ∇log π.

    Over a ~ π the second bracket and ∇log π have mean 0, the first bracket and ∇V_θ do not depend on a: of the four
    products two vanish, and

        Σ_s d (V_θ − v) ∇V_θ  −  α Σ_s d Σ_a π ∇log π (q − α log π/π0)

    is left. The first sum is the gradient of the value error; the second is ∇J by the policy gradient theorem
    (Sutton et al. 2000), J being E Σ γᵗ [r − α KL(π ‖ π0)]. Their section 3.2; α is their τ.
    """
    problem = random_problem(seed, prior=prior, discount=0.8, temperature=0.7 * scale, states=4, actions=3)
    model = problem.model() if timed else problem.model().replaced(horizon=None)
    alpha, log_prior = model.temperature, model.tables.log_prior.contiguous()
    policy = Boltzmann(log_prior, alpha, seed=seed)

    q_theta, v_theta = policy.soft_q(), policy.soft_value()
    log_policy = (log_prior + (q_theta - v_theta[..., None]) / alpha).detach()
    d, v, q = truth(model, log_policy)
    q_loss = (d[..., None] * log_policy.exp() * 0.5 * (q_theta - q) ** 2).sum()
    v_loss = (d * 0.5 * (v_theta - v) ** 2).sum()
    (soft_q_gradient,) = torch.autograd.grad(q_loss, policy.weights, retain_graph=True)
    (value_gradient,) = torch.autograd.grad(v_loss, policy.weights)
    _, gradient = exact_gradient(model, policy)
    policy_gradient = gradient["weights"]

    assert min(float(part.norm()) for part in (policy_gradient, value_gradient)) > 1e-3  # both have their say
    torch.testing.assert_close(soft_q_gradient, -alpha * policy_gradient + value_gradient, rtol=0, atol=1e-6)
