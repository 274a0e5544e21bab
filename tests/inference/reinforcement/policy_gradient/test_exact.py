"""The exact gradient on tables against autograd of the objective and finite differences; its ascent."""

from itertools import pairwise

import pytest
import torch

from ppl_control import SoftValueIteration, infer
from ppl_control.inference.reinforcement.policy_gradient import SoftPolicyGradient
from ppl_control.inference.reinforcement.policy_gradient.exact import exact_gradient
from ppl_control.models import frozen_lake, hiking
from ppl_control.policies import CategoricalMLP, TabularPolicy
from ppl_control.policies.tabular import tabulate
from tests.inference.reinforcement.policy_gradient.tables import objective
from tests.problems import PRIORS, random_problem

SETTINGS = [(prior, discount, timed) for prior in PRIORS for discount in (1.0, 0.7) for timed in (True, False)
            if (timed or discount < 1) and (timed or prior != "timed")]  # fmt: skip


def case(prior, discount, timed):
    problem = random_problem(len(prior), prior=prior, discount=discount)
    model = problem.model()
    model = model if timed else model.replaced(horizon=None)
    closed = (torch.as_tensor(problem.prior) == 0)[slice(None) if timed else 0]
    random = torch.Generator().manual_seed(1)
    logits = torch.randn(closed.shape, generator=random, dtype=torch.float64)
    return problem, model, TabularPolicy(logits), closed


@pytest.mark.parametrize(("prior", "discount", "timed"), SETTINGS)
def test_gradient_is_that_of_the_objective(prior, discount, timed):
    problem, model, policy, closed = case(prior, discount, timed)

    def plainly(logits):
        return objective(problem, torch.log_softmax(logits.masked_fill(closed, -torch.inf), -1), model.horizon)

    found, gradient = exact_gradient(model, policy)
    logits = policy.logits.detach().clone().requires_grad_()
    value = plainly(logits)
    assert float(found) == pytest.approx(float(value.detach()), abs=1e-10)
    (slope,) = torch.autograd.grad(value, logits)
    assert float(slope.abs().max()) > 1e-2
    torch.testing.assert_close(gradient["logits"], slope, rtol=0, atol=1e-10)
    width, differences = 1e-5, torch.zeros_like(slope).reshape(-1)
    with torch.no_grad():
        for i in range(slope.numel()):
            nudge = torch.zeros_like(differences)
            nudge[i] = width
            nudge = nudge.view_as(slope)
            differences[i] = (plainly(logits + nudge) - plainly(logits - nudge)) / (2 * width)
    torch.testing.assert_close(gradient["logits"].reshape(-1), differences, rtol=0, atol=1e-6)


@pytest.mark.parametrize("timed", [True, False])
def test_gradient_of_a_network(timed):
    problem = random_problem(4, discount=0.7)
    model = problem.model() if timed else problem.model().replaced(horizon=None)
    policy = CategoricalMLP(2, num_states=3, horizon=model.horizon, hidden=(8,))
    torch.nn.init.normal_(policy.network.head.weight, generator=torch.Generator().manual_seed(0))
    value = objective(problem, tabulate(policy, 3, 2, model.horizon), model.horizon)
    slopes = torch.autograd.grad(value, list(policy.parameters()))
    found, gradient = exact_gradient(model, policy)
    assert float(found) == pytest.approx(float(value.detach()), abs=1e-10)
    for name, slope in zip(gradient, slopes, strict=True):
        torch.testing.assert_close(gradient[name], slope, rtol=0, atol=1e-10)
    assert all(p.grad is None for p in policy.parameters())


@pytest.mark.parametrize("name", ["lake", "hill", "endless"])
def test_ascends_to_the_optimum(name):
    models = {
        "lake": frozen_lake.model(),
        "hill": hiking.model(),
        "endless": frozen_lake.model().replaced(horizon=None, discount=0.95),
    }
    model = models[name]
    best = infer(model, SoftValueIteration())
    found = infer(model, SoftPolicyGradient(), progress=False)
    assert found.log_evidence_bound == pytest.approx(best.log_evidence_bound, abs=1e-8)
    torch.testing.assert_close(found.soft_value, best.soft_value, rtol=0, atol=1e-6)
    assert found.method == SoftPolicyGradient()
    assert isinstance(found.policy, TabularPolicy)
    assert found.soft_q is not None
    assert found.log_evidence_bound_stderr == 0
    _, gradient = exact_gradient(model, found.policy)
    assert float(gradient["logits"].abs().max()) < 1e-8


def test_plain_gradient_ascends_too():
    """Without the metric of the natural gradient: the exact slope alone, in small steps."""
    model = random_problem(3).model()
    best = model.temperature * infer(model, SoftValueIteration()).log_evidence_bound
    policy, climbed = TabularPolicy(torch.zeros(3, 3, 2, dtype=torch.float64)), []
    for _ in range(200):
        value, gradient = exact_gradient(model, policy)
        climbed.append(float(value))
        with torch.no_grad():
            policy.logits += 2.0 * gradient["logits"]
    assert all(after >= before - 1e-12 for before, after in pairwise(climbed))
    assert climbed[0] < best - 0.05
    assert climbed[-1] == pytest.approx(best, abs=1e-3)


def test_a_network_on_tables():
    model = random_problem(3, horizon=2).model()
    best = infer(model, SoftValueIteration()).log_evidence_bound
    policy = CategoricalMLP(2, num_states=3, horizon=2, hidden=(16,))
    before = {name: p.clone() for name, p in policy.state_dict().items()}
    found = infer(model, SoftPolicyGradient(policy=policy, steps=400), progress=False)
    assert found.log_evidence_bound == pytest.approx(best, abs=1e-3)
    assert all(torch.equal(p, before[name]) for name, p in policy.state_dict().items())
