"""Guides of one's own on tables whose trajectories end: what is drawn after the end does not count."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pyro
import pytest
import torch
from pyro.distributions import Categorical, Delta
from torch import Tensor, nn

from ppl_control import SVI, TrajectoryModel, evaluate, infer
from ppl_control.guides import Custom
from ppl_control.guides.plans.joint import JointPlan
from ppl_control.inference.exact.blind import blind_bound
from ppl_control.inference.exact.open_loop import make_tree, tree_bound
from ppl_control.inference.variational.score import program_loss
from ppl_control.models import hiking
from ppl_control.randomness import RandomStream
from tests.problems import random_problem

T, A, N = 3, 2, 100_000


class Blind(nn.Module):
    """∏ q_t(a_t)."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits.clone())

    def forward(self) -> None:
        for t, logits in enumerate(self.logits):
            pyro.sample(f"a_{t}", Categorical(logits=logits))


def random_logits(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3)).double()


def estimate(model: TrajectoryModel, function: Callable[[], None]) -> tuple[float, float, Any]:
    """The sampled bound and its standard error; the gradient is left in the guide."""
    guide = Custom(function).build(model)
    with RandomStream(0):
        totals, loss = program_loss(model, guide, N)
    if loss.requires_grad:
        loss.backward()
    return float(totals.mean()), float(totals.std()) / math.sqrt(N), guide


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("discount", [1.0, 0.7])
def test_bound_and_gradient_are_those_of_an_open_loop_plan(shared: bool, discount: float):
    """With and without sites for outcomes; against the recursion over who is alive."""
    model = random_problem(4, shared=shared, discount=discount).model()
    assert model.program.by_outcome == shared
    logits = random_logits(T, A).requires_grad_()
    exact = blind_bound(model.tables, logits.log_softmax(-1))
    exact.backward()
    bound, error, guide = estimate(model, Blind(logits.detach()))
    assert abs(bound - float(exact.detach())) < 4 * error
    assert guide.function.logits.grad is not None
    assert logits.grad is not None
    torch.testing.assert_close(-guide.function.logits.grad, logits.grad, atol=0.02, rtol=0.0)


def test_a_plan_with_memory_against_the_tree_of_its_prefixes():
    model = random_problem(4).model()
    plan = JointPlan(A, T)
    plan.assign([random_logits(A**t, A).log_softmax(-1) for t in range(T)])
    exact = float(tree_bound(make_tree(model.tables), plan.levels()).detach())

    def drawn() -> None:
        past: list[Tensor] = []
        for t in range(T):
            past.append(pyro.sample(f"a_{t}", Categorical(logits=plan.conditional(t, past).logits)))

    bound, error, _ = estimate(model, drawn)
    assert abs(bound - exact) < 4 * error


def certainly(plan: Sequence[int]) -> Tensor:
    """Log q of one plan, [t, a]."""
    log_q = torch.full((T, A), -math.inf, dtype=torch.float64)
    log_q[range(T), plan] = 0.0
    return log_q


def test_another_order_than_the_model_s_is_refused():
    """Drawn before the living, the dead would tell of them: neither bound nor gradient could leave them out."""

    def backwards() -> None:
        for t in reversed(range(T)):
            pyro.sample(f"a_{t}", Categorical(torch.ones(A)))

    with pytest.raises(ValueError, match="it draws 'a_2' before 'a_0'; draw sites in the model's order"):
        infer(random_problem(4).model(), SVI(backwards, steps=1), progress=False)


def test_a_certain_plan():
    model = random_problem(4).model()
    plan = [1, 0, 1]

    def certain() -> None:
        for t, action in enumerate(plan):
            pyro.sample(f"a_{t}", Delta(torch.tensor(action)))

    bound, error, _ = estimate(model, certain)
    assert abs(bound - float(blind_bound(model.tables, certainly(plan)))) < 4 * error


def test_a_hike_that_may_end():
    model = hiking.model(horizon=6)
    start = torch.zeros(6, model.tables.num_actions, dtype=torch.float64)
    found = infer(model, SVI(Blind(start), steps=50, learning_rate=0.1, particles=64), progress=False)
    fitted: Any = found.guide
    exact = float(blind_bound(model.tables, fitted.function.logits.detach().log_softmax(-1)))
    assert abs(found.log_evidence_bound - exact) < 4 * found.log_evidence_bound_stderr
    assert exact > float(blind_bound(model.tables, start.log_softmax(-1))) + 1
    assert math.isfinite(evaluate(found, model).believed_return)
    drawn = found.sample(200)
    assert not bool(drawn.alive.all())
    assert bool((drawn.actions[~drawn.alive] == 0).all())
    assert bool((drawn.rewards[~drawn.alive] == 0).all())


@pytest.mark.parametrize("values", [1, 2])
def test_fewer_actions_than_the_model_has(values: int):
    """One value would be taken for any number of them."""
    model = random_problem(4, actions=3).model()
    with pytest.raises(ValueError, match=f"'a_0' has {values} values, the model's 3"):
        infer(model, SVI(Blind(torch.zeros(T, values, dtype=torch.float64)), steps=1), progress=False)


def test_what_the_model_rules_out_is_said():
    model = random_problem(4).model()

    def elsewhere() -> None:
        """Anywhere at all, at any time, also alive again after the end."""
        states = pyro.param("states", torch.zeros(model.tables.num_states + 1, dtype=torch.float64))
        for t in range(T + 1):
            pyro.sample(f"s_{t}", Categorical(logits=states))

    with pytest.raises(ValueError, match="its bound is −∞, for it draws what the model rules out"):
        infer(model, SVI(elsewhere), progress=False)
