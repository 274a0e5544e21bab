"""Guides of one's own: any Pyro function over the model's sites."""

import pyro
import pytest
import torch
from pyro.distributions import Categorical, constraints
from torch import nn

from ppl_control import SVI, MessagePassing, SoftValueIteration, evaluate, infer
from ppl_control.guides import Custom
from ppl_control.models import lottery
from tests.problems import random_problem
from tests.trajectory.test_from_program import as_program

ADAM = {"steps": 300, "learning_rate": 0.1, "particles": 64}


def buys() -> None:
    """Only the action: whether the ticket wins is left to the model."""
    start = torch.full((2,), 0.5, dtype=torch.float64)
    pyro.sample("a_0", Categorical(pyro.param("chances", start, constraint=constraints.simplex)))


def test_what_a_guide_leaves_out_is_the_model_s():
    model = lottery.model()
    solution = infer(model, SVI(buys, **ADAM), progress=False)
    best = infer(model, SoftValueIteration()).log_evidence_bound
    assert abs(solution.log_evidence_bound - best) < 0.01 + 4 * solution.log_evidence_bound_stderr
    assert not list(pyro.get_param_store().keys())
    assert solution.policy is None
    assert evaluate(solution, model).executed_return != evaluate(solution, model).executed_return  # NaN


class OpenLoop(nn.Module):
    """One distribution of the action for each step, whatever the state."""

    def __init__(self, horizon: int, actions: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(horizon, actions, dtype=torch.float64))

    def forward(self) -> None:
        for t, logits in enumerate(self.logits):
            pyro.sample(f"a_{t}", Categorical(logits=logits))


@pytest.mark.parametrize("kind", ["table", "program"])
def test_open_loop_is_below_closed_loop(kind: str):
    problem = random_problem(8, prior="uniform", shared=False, ends=False, temperature=0.3)
    model = problem.model() if kind == "table" else as_program(problem)
    guide = OpenLoop(3, 2)
    solution = infer(model, SVI(guide, **ADAM), progress=False)
    bound, error = solution.log_evidence_bound, solution.log_evidence_bound_stderr
    assert bound - 4 * error <= infer(problem.model(), SoftValueIteration()).log_evidence_bound
    history = solution.history["bound"]
    assert sum(history[-30:]) / 30 > sum(history[:10]) / 10 + 0.1
    assert bool((guide.logits == 0).all())  # the caller's module is not trained


def test_a_guide_over_every_site_is_a_free_one():
    """q(a) q(s₁|a) by hand: with enough freedom it finds the posterior of the lottery."""

    def free() -> None:
        pyro.sample("s_0", Categorical(logits=torch.tensor([0.0] + [-torch.inf] * 4).double()))
        choice = pyro.param("choice", torch.zeros(2, dtype=torch.float64))
        luck = pyro.param("luck", torch.zeros(2, dtype=torch.float64))
        action = pyro.sample("a_0", Categorical(logits=choice))
        by_outcome = torch.stack([torch.tensor([0.0, -torch.inf]).double(), luck])
        pyro.sample("outcome_0", Categorical(logits=by_outcome[action]))

    model = lottery.model()
    assert model.program.by_outcome
    solution = infer(model, SVI(free, **ADAM), progress=False)
    evidence = infer(model, MessagePassing()).log_evidence_bound
    assert abs(solution.log_evidence_bound - evidence) < 0.05 + 4 * solution.log_evidence_bound_stderr


@pytest.mark.parametrize(
    ("guide", "match"),
    [
        (lambda: pyro.sample("weather", Categorical(torch.ones(2))), "unknown site 'weather'"),
        (lambda: pyro.sample("O_0", Categorical(torch.ones(2))), "unknown site 'O_0'"),
        (lambda: pyro.param("nothing"), "nothing"),
    ],
)
def test_guides_that_do_not_fit(guide, match: str):
    with pytest.raises(ValueError, match=match):
        infer(lottery.model(), SVI(guide, steps=1), progress=False)
    with pytest.raises(ValueError, match=match):
        Custom(guide).build(lottery.model())


def test_other_estimators_say_what_they_need():
    with pytest.raises(ValueError, match="enumerate"):
        infer(lottery.model(), SVI(buys, estimator="enumerate"), progress=False)
    with pytest.raises(ValueError, match="pyro"):
        infer(lottery.model(), SVI(buys, estimator="pyro"), progress=False)
