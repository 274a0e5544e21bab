"""The exact bound of tabular guides against Pyro's own, which enumerates the guide as a per-site program."""

import pyro
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyro.infer import Trace_ELBO, TraceEnum_ELBO, config_enumerate

from ppl_control.guides import FixedDynamics, Unconstrained
from ppl_control.guides.tabular import TabularGuide
from ppl_control.inference.variational.exact_bound import elbo_and_loss
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.rollout import log_joint, log_terms, sample_rollout
from tests.problems import Problem, each_problem, label, problems, random_problem

RECIPES = [FixedDynamics(), Unconstrained()]


def jittered(guide: TabularGuide, seed: int = 0) -> TabularGuide:
    """A guide away from its start, which is a stationary point of some of its parameters."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in guide.parameters():
            parameter += torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    return guide


def gradients(guide: TabularGuide, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    names, parameters = zip(*guide.named_parameters(), strict=True)
    found = torch.autograd.grad(loss, parameters)
    return {
        # Logits of −inf are no parameters: those outcomes are impossible.
        name: torch.where(parameter > -torch.inf, gradient, 0.0)
        for name, parameter, gradient in zip(names, parameters, found, strict=True)
    }


def check_bound(problem: Problem, recipe) -> None:
    model = problem.model()
    guide = jittered(recipe.build(model))
    with pyro.validation_enabled(False):
        enumerated = TraceEnum_ELBO(max_plate_nesting=0).differentiable_loss(model.model, config_enumerate(guide))
    bound, loss = elbo_and_loss(guide)
    assert float(bound) == pytest.approx(-float(enumerated.detach()), rel=1e-8, abs=1e-12)
    expected = gradients(guide, enumerated)
    for name, gradient in gradients(guide, loss).items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-8, atol=1e-10, msg=name)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: type(recipe).__name__)
@pytest.mark.parametrize("problem", each_problem(), ids=label)
def test_bound_and_gradient_of_every_kind(problem: Problem, recipe):
    check_bound(problem, recipe)


@settings(max_examples=15)
@given(problem=problems(), recipe=st.sampled_from(RECIPES))
def test_bound_and_gradient_of_any_shape(problem: Problem, recipe):
    check_bound(problem, recipe)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: type(recipe).__name__)
@pytest.mark.parametrize("discount", [1.0, 0.8])
def test_sampled_elbo_of_pyro_agrees(recipe, discount: float):
    """Trace_ELBO on the per-site program, within 4 standard errors of the exact bound."""
    model = random_problem(11, discount=discount).model()
    guide, n = jittered(recipe.build(model)), 20_000
    bound, _ = elbo_and_loss(guide)
    with RandomStream(0), torch.no_grad():
        terms = log_terms(model.tables, guide.tables(), sample_rollout(model.tables, guide.tables(), n))
        sampled = log_joint(terms) - (terms.policy + terms.belief).sum(0) - terms.first_belief
        by_site = -Trace_ELBO(num_particles=n, vectorize_particles=True, max_plate_nesting=0).loss(model.model, guide)
    error = float(sampled.std()) / n**0.5
    assert abs(float(sampled.mean() - bound)) < 4 * error
    assert abs(by_site - float(bound)) < 4 * error


def test_without_a_horizon_the_gradient_is_that_of_the_linear_solve():
    """Autograd through a linear solve for the whole stationary solution gives the gradient of values held fixed."""
    from ppl_control.inference.exact.recursions import chain, choice_terms, elbo, guide_q
    from ppl_control.trajectory.masked import weighted

    model = random_problem(4, prior="policy").model().replaced(horizon=None, discount=0.8)
    for recipe in RECIPES:
        guide = jittered(recipe.build(model))
        q, tables = guide.tables(), model.tables
        gain = weighted(q.policy.exp(), guide_q(tables, q, tables.initial.new_zeros(tables.num_states))).sum(-1)
        stays = torch.eye(tables.num_states) - chain(tables, q)[:, :-1]
        direct = elbo(tables, q, torch.linalg.solve(stays, gain + choice_terms(tables, q)))
        bound, loss = elbo_and_loss(guide)
        assert float(bound) == pytest.approx(float(direct.detach()), rel=1e-10)
        expected = gradients(guide, -direct)
        for name, gradient in gradients(guide, loss).items():
            torch.testing.assert_close(gradient, expected[name], rtol=1e-8, atol=1e-10, msg=name)
