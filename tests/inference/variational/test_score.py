"""The score estimator: unbiased, and good enough."""

import math

import pytest
import torch

from ppl_control import SVI, SoftValueIteration, infer
from ppl_control.guides import FixedDynamics, Unconstrained
from ppl_control.inference.exact.recursions import guide_values
from ppl_control.inference.variational.exact_bound import elbo_and_loss
from ppl_control.inference.variational.score import tabular_loss
from ppl_control.models import hiking
from ppl_control.randomness import RandomStream
from tests.guides.test_pyro_bound import jittered
from tests.problems import random_problem

BATCHES, SIZE = 600, 32


def problem(kind: str):
    model = random_problem(21, prior="policy", discount=0.8 if kind == "discounted" else 1.0).model()
    return model.replaced(horizon=None, discount=0.7) if kind == "endless" else model


@pytest.mark.parametrize("kind", ["plain", "discounted", "endless"])
@pytest.mark.parametrize("recipe", [FixedDynamics(), Unconstrained()], ids=repr)
def test_bound_and_gradient_are_unbiased(recipe, kind: str):
    """Means over many batches within 4 standard errors (4.5 for the largest of the gradient's entries)."""
    guide = jittered(recipe.build(problem(kind)), seed=1)
    bound, loss = elbo_and_loss(guide)
    names = [name for name, _ in guide.named_parameters()]
    exact = torch.autograd.grad(loss, list(guide.parameters()))
    draws: list[list[torch.Tensor]] = [[] for _ in names]
    elbos, baseline = [], None
    with RandomStream(0):
        for _ in range(BATCHES):
            elbo, estimate, baseline = tabular_loss(guide, SIZE, baseline)
            for column, gradient in zip(draws, torch.autograd.grad(estimate, list(guide.parameters())), strict=True):
                column.append(gradient)
            elbos.append(elbo.mean())
    _check(torch.stack(elbos), bound, 4.0, "bound")
    for name, column, expected in zip(names, draws, exact, strict=True):
        possible = guide.get_parameter(name) > -torch.inf
        _check(torch.stack(column)[:, possible], expected[possible], 4.5, name)


def _check(samples: torch.Tensor, expected: torch.Tensor, errors: float, name: str) -> None:
    error = samples.std(0) / math.sqrt(len(samples))
    off = (samples.mean(0) - expected.detach()).abs()
    assert bool((off <= errors * error + 1e-12).all()), f"{name}: off by {off} with errors {error}"
    assert float(error.max()) > 0


def test_the_baseline_learns_the_value_to_go():
    model = random_problem(21, prior="policy").model()
    guide = FixedDynamics().build(model)
    with torch.no_grad():
        value, _ = guide_values(model.tables, guide.tables())
    baseline, total = None, 0.0
    with RandomStream(0):
        for step in range(400):
            _, _, baseline = tabular_loss(guide, 256, baseline)
            total = total + baseline * (step >= 100)
    live = ~model.tables.terminal
    assert float((total / 300 - value[:-1])[:, live].abs().max()) < 0.1 * float(value.abs().max())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_hiking_within_one_percent(seed: int):
    model = hiking.model()
    best = infer(model, SoftValueIteration()).log_evidence_bound
    method = SVI(FixedDynamics(), estimator="score")
    solution = infer(model, method, seed=seed, progress=False)
    assert 0.99 * best <= solution.log_evidence_bound <= best + 1e-9
    sampled = solution.history["bound"][-100:]
    assert sum(sampled) / 100 == pytest.approx(solution.log_evidence_bound, rel=0.02)
