"""The same model in float32 and float64: every method on tables, to what the rounding of T steps leaves."""

from typing import Any

import numpy as np
import pytest
import torch

from ppl_control import SVI, MessagePassing, SoftValueIteration, TabularMDP, evaluate, infer
from ppl_control.guides import MAP, FixedDynamics, MeanField, OpenLoop, Unconstrained
from ppl_control.inference import messages
from tests.numerics.extremes import model_in
from tests.problems import PRIORS, random_problem

EPS = torch.finfo(torch.float32).eps
STEPS = 5
METHODS: dict[str, Any] = {
    "loop": MessagePassing(scan=False),
    "scan": MessagePassing(scan=True),
    "soft value iteration": SoftValueIteration(),
    "fixed dynamics": SVI(FixedDynamics(), steps=3 * STEPS),
    "fixed dynamics by Adam": SVI(FixedDynamics(), steps=20, optimizer="adam"),
    "unconstrained": SVI(Unconstrained(), steps=3 * STEPS),
    "open loop": SVI(OpenLoop(), steps=20),
    "all plans": SVI(OpenLoop("joint"), steps=5),
    "one trajectory": SVI(MAP(), steps=2),
}


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("name", METHODS)
def test_both_precisions_agree(name: str, prior: str):
    """Values of T steps are sums of T numbers, each rounded a few times; the policy feels it in every step."""
    problem = random_problem(11, states=4, actions=3, horizon=STEPS, discount=0.9, temperature=0.5, prior=prior)
    single, double = (model_in(problem, dtype) for dtype in (torch.float32, torch.float64))
    ours, theirs = (infer(model, METHODS[name], progress=False) for model in (single, double))
    size = STEPS * (1 + max(abs(r) for rows in problem.outcomes for row in rows for _, _, r, _ in row) / 0.5)
    allowed = 8 * STEPS * EPS * size
    assert ours.log_evidence_bound == pytest.approx(theirs.log_evidence_bound, rel=0, abs=allowed)
    if theirs.soft_value is not None:
        assert ours.soft_value.dtype == torch.float32
        torch.testing.assert_close(ours.soft_value.double(), theirs.soft_value, rtol=0, atol=allowed)
    found, expected = evaluate(ours, single), evaluate(theirs, double)
    for quantity in ("believed_return", "executed_return"):
        assert getattr(found, quantity) == pytest.approx(getattr(expected, quantity), rel=0, abs=allowed), quantity


@pytest.mark.parametrize("prior", PRIORS)
def test_messages(prior: str):
    problem = random_problem(11, states=4, actions=3, horizon=STEPS, discount=0.9, temperature=0.5, prior=prior)
    single, double = (messages(model_in(problem, dtype)) for dtype in (torch.float32, torch.float64))
    for name, table in vars(double).items():
        if isinstance(table, torch.Tensor):
            found = getattr(single, name)
            assert found.dtype == torch.float32, name
            torch.testing.assert_close(found.double(), table, rtol=1e3 * EPS, atol=1e2 * EPS, msg=name)


def test_mean_field_has_its_optima_in_both():
    """Coordinate ascent may end in another local optimum where rounding tips it; here it does not."""
    problem = random_problem(2, states=3, actions=2, horizon=3, temperature=2.0, ends=False, shared=False)
    bounds = [
        infer(model_in(problem, dtype), SVI(MeanField(), steps=200), progress=False).log_evidence_bound
        for dtype in (torch.float32, torch.float64)
    ]
    assert bounds[0] == pytest.approx(bounds[1], rel=1e3 * EPS)


def test_a_start_given_in_single_precision_sums_to_one():
    """It is normalised in the digits of the model, not in those that it came in."""
    first = np.array([0.4, 0.6], dtype=np.float32)
    mdp = TabularMDP(first, np.full((2, 1, 2), 0.5), np.zeros((2, 1)))
    for found in (mdp, mdp.with_initial(first)):
        assert found.initial.dtype == torch.float64
        assert float(found.initial.sum()) == pytest.approx(1.0, abs=1e-15)
