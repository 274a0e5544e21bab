"""Guides of continuous models against closed forms and against Pyro's own bound."""

import math

import pyro.distributions as dist
import pytest
import torch
from gymnasium import spaces
from pyro.infer import Trace_ELBO
from pyro.infer.autoguide import AutoMultivariateNormal, AutoNormal

from ppl_control import (
    SVI,
    DifferentiableMDP,
    LinearGaussianMDP,
    MessagePassing,
    SoftValueIteration,
    TrajectoryModel,
    evaluate,
    infer,
)
from ppl_control.guides import MAP, FixedDynamics, MeanField, OpenLoop, Unconstrained
from ppl_control.guides.continuous import ContinuousGuide
from ppl_control.inference.exact.moments import elbo
from ppl_control.inference.variational.estimators import choose
from ppl_control.policies import GaussianMLP, LinearGaussianPolicy, SquashedGaussianMLP
from ppl_control.policies.linear_gaussian import tabulate_linear_gaussian
from ppl_control.randomness import RandomStream

SCALAR = LinearGaussianMDP(1.0, 1.0, 0.3, 1.0, 0.5, initial_mean=[2.0], final_state_cost=1.0)
SMOOTH = DifferentiableMDP(
    dist.Normal(torch.zeros(2, dtype=torch.float64), 0.3).to_event(1),
    lambda state, action: dist.Normal(state + 0.5 * action, 0.2 + 0.1 * state[..., :1].abs()).to_event(1),
    lambda state, action, following: -(following**2).sum(-1),
    action_space=spaces.Box(-1.0, 1.0, (2,)),
    final_reward=lambda state: state[..., 0],
)


def scalar_model(**settings) -> TrajectoryModel:
    return TrajectoryModel(SCALAR, **({"horizon": 5} | settings))


@pytest.mark.parametrize("estimator", ["reparameterised", "score"])
@pytest.mark.parametrize("prior", [None, "gaussian"])
def test_sampled_gradients_have_the_exact_mean(estimator: str, prior):
    given = None if prior is None else dist.Normal(torch.zeros(1, dtype=torch.float64), 2.0).to_event(1)
    model = scalar_model(temperature=2.0, discount=0.9, action_prior=given, horizon=3)
    gain = torch.tensor([[[0.5]], [[0.3]], [[0.6]]], dtype=torch.float64)
    guide = FixedDynamics(LinearGaussianPolicy(gain, torch.tensor([[0.4]]), gain[..., 0] * 0.2)).build(model)
    tables = tabulate_linear_gaussian(guide.policy, 1, 1, 3)
    known = None if given is None else tabulate_linear_gaussian(given, 1, 1, 3)
    exact = elbo(SCALAR, tables, 2.0, 0.9, known)
    truth = float(exact.detach())
    wanted = torch.cat([g.reshape(-1) for g in torch.autograd.grad(exact, list(guide.parameters()))])
    found, bounds = [], []
    with RandomStream(0):
        for _ in range(40):
            bound, loss, _ = choose(guide, estimator).loss(guide, 500, None)
            gradient = torch.autograd.grad(-loss, list(guide.parameters()))
            found.append(torch.cat([g.reshape(-1) for g in gradient]))
            bounds.append(bound.detach().mean())
    mean, error = torch.stack(found).mean(0), torch.stack(found).std(0) / 40**0.5
    assert bool(((mean - wanted).abs() < 4.5 * error).all()), (mean, wanted, error)
    spread = torch.stack(bounds).std() / 40**0.5
    assert abs(float(torch.stack(bounds).mean()) - truth) < 4 * float(spread)


@pytest.mark.slow
def test_svi_finds_the_variational_solution():
    model = scalar_model()
    exact, fitted = infer(model, SoftValueIteration()), infer(model, SVI(steps=600), progress=False)
    assert fitted.log_evidence_bound == pytest.approx(-5.971751, abs=1e-2)
    assert fitted.log_evidence_bound <= exact.log_evidence_bound + 1e-9
    assert fitted.log_evidence_bound_stderr == 0
    torch.testing.assert_close(fitted.policy.gain[0], torch.tensor([[0.732049]]).double(), atol=1e-2, rtol=0)
    torch.testing.assert_close(fitted.policy.covariance[0], torch.tensor([[0.267951]]).double(), atol=1e-2, rtol=0)
    believed = evaluate(fitted, model)
    assert believed.believed_return == pytest.approx(-9.892749, abs=5e-2)


@pytest.mark.slow
def test_unconstrained_svi_finds_the_posterior():
    model = scalar_model()
    exact, fitted = infer(model, MessagePassing()), infer(model, SVI(Unconstrained(), steps=1500), progress=False)
    assert exact.log_evidence_bound == pytest.approx(-4.176423, abs=1e-6)
    assert abs(fitted.log_evidence_bound - exact.log_evidence_bound) < 4 * fitted.log_evidence_bound_stderr + 5e-3
    torch.testing.assert_close(fitted.policy.gain[0], exact.policy.gain[0], atol=2e-2, rtol=0)
    report, truth = evaluate(fitted, model, episodes=20_000), evaluate(exact, model)
    assert report.optimism == pytest.approx(truth.optimism, abs=4 * report.optimism_stderr + 0.1)


def open_loop_optimum(model: TrajectoryModel) -> tuple[float, torch.Tensor]:
    """log ∫ exp(E[R|a]/α) da and the best plan, from E[R|a] = c + bᵀa − aᵀMa found by probing."""
    mdp, T = model.mdp, model.horizon

    def expected(plan: torch.Tensor) -> torch.Tensor:
        mean, variance, total = mdp.initial_mean, torch.zeros(1, dtype=torch.float64), 0.0
        for action in plan:
            total = total - (mean**2 + variance) - 0.5 * action**2
            mean, variance = mean + action, variance + 0.3
        return (total - mean**2 - variance).squeeze()

    zero = torch.zeros(T, dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(expected, zero) / model.temperature
    slope = torch.autograd.functional.jacobian(expected, zero) / model.temperature
    best = torch.linalg.solve(-hessian, slope)
    peak = float(expected(best)) / model.temperature
    return peak + 0.5 * T * math.log(2 * math.pi) - 0.5 * float(torch.logdet(-hessian)), best


@pytest.mark.slow
@pytest.mark.parametrize("plan", [None, AutoMultivariateNormal], ids=["gaussian", "autoguide"])
def test_a_gaussian_plan_finds_open_loop_control(plan):
    model = scalar_model(horizon=3)
    bound, best = open_loop_optimum(model)
    fitted = infer(model, SVI(OpenLoop(plan), steps=500), progress=False)
    assert fitted.log_evidence_bound == pytest.approx(bound, abs=4 * fitted.log_evidence_bound_stderr + 1e-2)
    plans = fitted.sample_plan(4000)
    assert plans.shape == (4000, 3, 1)
    torch.testing.assert_close(plans.mean(0)[:, 0], best, atol=0.05, rtol=0)
    assert fitted.log_evidence_bound < infer(model, SoftValueIteration()).log_evidence_bound
    report = evaluate(fitted, model, episodes=5000)
    assert abs(report.optimism) < 4 * report.optimism_stderr
    independent = infer(model, SVI(OpenLoop("independent"), steps=300), progress=False)
    assert independent.log_evidence_bound < fitted.log_evidence_bound


def guides_of(model: TrajectoryModel) -> dict:
    low, high = [-1.0, -1.0], [1.0, 1.0]
    policy = SquashedGaussianMLP(num_features=2, action_dim=2, low=low, high=high, horizon=3)
    recipes = {
        "fixed": FixedDynamics(policy),
        "unconstrained": Unconstrained(),
        "plan": OpenLoop(),
        "flow": OpenLoop("flow"),
        "mean_field": MeanField(),
    }
    guides = {name: recipe.build(model) for name, recipe in recipes.items()}
    with RandomStream(3), torch.no_grad():
        for guide in guides.values():
            for parameter in guide.parameters():
                parameter += 0.05 * torch.randn_like(parameter)
    return guides


@pytest.mark.parametrize("name", ["fixed", "unconstrained", "plan", "flow", "mean_field"])
@pytest.mark.parametrize("discount", [1.0, 0.8])
def test_batched_bounds_are_pyros(name: str, discount: float):
    model = TrajectoryModel(SMOOTH, horizon=3, temperature=0.5, discount=discount, action_prior="uniform")
    guide, n = guides_of(model)[name], 4000
    if name in ("plan", "flow") and discount < 1:
        with pytest.raises(ValueError, match="may end early"):
            guide()
        return
    with RandomStream(1), torch.no_grad():
        rollout = guide.rollout(n)
        ours = rollout.gains(0.5).sum(0) + rollout.first
        pyros = [-Trace_ELBO(num_particles=n // 20, vectorize_particles=True, max_plate_nesting=0)
                 .loss(model.model, guide) for _ in range(20)]  # fmt: skip
    theirs = torch.tensor(pyros, dtype=torch.float64)
    error = math.hypot(float(ours.std() / n**0.5), float(theirs.std() / 20**0.5))
    assert abs(float(ours.mean() - theirs.mean())) < 4.5 * error


def test_mean_field_of_an_exact_world_is_hopeless():
    still = LinearGaussianMDP(1.0, 1.0, 0.0, 1.0, 0.5, initial_mean=[2.0])
    fitted = infer(TrajectoryModel(still, horizon=3), SVI(MeanField()), progress=False)
    assert fitted.log_evidence_bound == -math.inf


def test_mean_field_lies_below_the_evidence():
    model = scalar_model()
    fitted = infer(model, SVI(MeanField(), steps=60, particles=64), progress=False)
    gap = infer(model, MessagePassing()).log_evidence_bound - fitted.log_evidence_bound
    assert gap > 4 * fitted.log_evidence_bound_stderr
    assert fitted.policy(torch.zeros(4, 1), 0).sample().shape == (4, 1)


def test_the_likeliest_trajectory_solves_the_quadratic_program():
    model = scalar_model(horizon=3)
    fitted = infer(model, SVI(MAP(), steps=400), progress=False)
    assert fitted.log_evidence_bound == -math.inf
    states, actions, _, log_joint = fitted.guide.trajectory()
    # Stationary in every action and every free state of Σ −x² − u²/2 − (x' − x − u)²/(2·0.3), the last state too.
    x, u = states[:, 0], actions[:, 0]
    noise = (x[1:] - x[:-1] - u) / 0.3
    torch.testing.assert_close(u, noise, atol=2e-3, rtol=0)
    torch.testing.assert_close(2 * x[1:-1], noise[1:] - noise[:-1], atol=2e-3, rtol=0)
    torch.testing.assert_close(2 * x[-1], -noise[-1], atol=2e-3, rtol=0)
    assert fitted.history["log_joint"][-1] == pytest.approx(float(log_joint), abs=1e-3)


@pytest.mark.slow
def test_a_falling_temperature_leaves_best_expected_return():
    model = scalar_model(horizon=4)
    cold = infer(model, SVI(steps=800, final_temperature=0.01), progress=False)
    riccati = infer(model.replaced(temperature=0.01), SoftValueIteration())
    assert cold.temperature == 0.01
    torch.testing.assert_close(cold.policy.gain[0], riccati.policy.gain[0], atol=3e-2, rtol=0)
    assert cold.log_evidence_bound <= riccati.log_evidence_bound + 1e-9


def test_autoguides_of_any_kind_plan():
    model = TrajectoryModel(SMOOTH, horizon=3, temperature=0.5, action_prior="uniform")
    fitted = infer(model, SVI(OpenLoop(AutoNormal), steps=20, particles=16), progress=False)
    plans = fitted.sample_plan(50)
    assert plans.shape == (50, 3, 2)
    assert float(plans.abs().max()) <= 1
    with pytest.raises(ValueError, match="makes no guide"):
        infer(model, SVI(OpenLoop(lambda model: None)))
    with pytest.raises(ValueError, match="AutoPlan"):
        fitted.save("never.pt")


def test_policies_without_entropy_are_scored_by_draws():
    model = TrajectoryModel(SMOOTH, horizon=3, temperature=0.5)
    squashed = ContinuousGuide(model, SquashedGaussianMLP(num_features=2, action_dim=2, low=-1.0, high=1.0))
    assert bool(squashed.rollout(4).choice.isfinite().all())
    free = TrajectoryModel(SCALAR, horizon=3)
    gaussian = ContinuousGuide(free, GaussianMLP(num_features=1, action_dim=1))
    rollout = gaussian.rollout(4)
    entropy = 0.5 * math.log(2 * math.pi * math.e)
    torch.testing.assert_close(rollout.choice, torch.full_like(rollout.choice, entropy))
