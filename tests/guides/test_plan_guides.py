"""Guides that are plans, products or one trajectory, as per-site Pyro programs."""

import math

import pyro
import pyro.poutine as poutine
import pytest
import torch
from pyro.infer import Trace_ELBO, TraceEnum_ELBO, config_enumerate

from ppl_control.guides.map import MAP, MAPGuide
from ppl_control.guides.mean_field import Beliefs, MeanField, MeanFieldGuide
from ppl_control.guides.plan_guide import PlanGuide
from ppl_control.guides.plans import IndependentPlan, JointPlan
from ppl_control.guides.plans.feasible import feasible_logits
from ppl_control.inference.exact.blind import blind_bound
from ppl_control.inference.exact.max_product import viterbi
from ppl_control.inference.exact.mean_field import mean_field_bound, mean_field_start, mean_field_step
from ppl_control.inference.exact.open_loop import make_tree, tree_bound
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.program_rollout import sample_program
from ppl_control.trajectory.sampling import sample_trajectories
from tests.problems import Problem, each_problem, label, random_problem
from tests.trajectory.test_from_program import as_program

PROBLEMS = pytest.mark.parametrize("problem", each_problem(), ids=label)
N = 4000


def independent(problem: Problem) -> PlanGuide:
    model = problem.model()
    generator = torch.Generator().manual_seed(1)
    logits = feasible_logits(model.tables)
    return PlanGuide(
        model, IndependentPlan(logits + torch.randn(logits.shape, generator=generator, dtype=logits.dtype))
    )


def joint(problem: Problem) -> PlanGuide:
    model = problem.model()
    plan, generator = JointPlan(problem.num_actions, problem.horizon), torch.Generator().manual_seed(1)
    first = feasible_logits(model.tables)
    return PlanGuide(
        model,
        plan.assign([
            row + torch.randn(own.shape, generator=generator, dtype=own.dtype)
            for own, row in zip(plan.logits, first, strict=True)
        ]),
    )  # fmt: skip


def mean_field(problem: Problem) -> MeanFieldGuide:
    model = problem.model()
    q = mean_field_start(model.tables)
    for _ in range(3):
        q, _, _ = mean_field_step(model.tables, q)
    guide = MeanField().build(model)
    # Flatter than the fit, on the same support: sampling would miss what is rare.
    guide.assign(Beliefs(torch.log_softmax(0.3 * q.states, -1), torch.log_softmax(0.3 * q.actions, -1)))
    return guide


def most_likely(problem: Problem) -> MAPGuide:
    guide = MAP().build(problem.model())
    guide.follow(viterbi(guide.model.tables).path)
    return guide


@torch.no_grad()
def exact(guide) -> float:
    tables = guide.model.tables
    if isinstance(guide, MAPGuide):
        return viterbi(tables).log_joint
    if isinstance(guide, MeanFieldGuide):
        return float(mean_field_bound(tables, guide.beliefs()))
    if isinstance(guide.plan, JointPlan):
        return float(tree_bound(make_tree(tables), guide.plan.levels()))
    return float(blind_bound(tables, guide.plan.log_table()))


KINDS = {"independent": independent, "joint": joint, "mean field": mean_field, "MAP": most_likely}
every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
@PROBLEMS
def test_sampled_runs_have_the_exact_bound(problem: Problem, kind: str):
    guide = KINDS[kind](problem)
    with RandomStream(0), torch.no_grad():
        rollout = sample_program(guide.model, guide, N)
    totals = (rollout.log_p - rollout.log_q).sum(0)
    error = float(totals.std()) / math.sqrt(N)
    assert abs(float(totals.mean()) - exact(guide)) < 4.5 * error + 1e-9


@pytest.mark.parametrize("kind", ["independent", "mean field", "MAP"])
@PROBLEMS
def test_enumerated_by_pyro_it_has_the_exact_bound(problem: Problem, kind: str):
    guide = KINDS[kind](problem)
    with pyro.validation_enabled(False):
        found = -TraceEnum_ELBO(max_plate_nesting=0).loss(guide.model.model, config_enumerate(guide))
    assert found == pytest.approx(exact(guide), rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("kind", ["independent", "joint"])
def test_pyro_trains_it(kind: str):
    """Trace_ELBO's gradient, averaged over many runs, is that of the exact bound within sampling error."""
    guide = KINDS[kind](random_problem(11, discount=0.8))
    parameters = list(guide.parameters())
    tables = guide.model.tables
    if kind == "joint":
        bound = tree_bound(make_tree(tables), guide.plan.levels())
    else:
        bound = blind_bound(tables, guide.plan.log_table())
    expected = torch.cat([g.reshape(-1) for g in torch.autograd.grad(-bound, parameters)])
    rows = []
    with RandomStream(0):
        elbo = Trace_ELBO(num_particles=500, vectorize_particles=True, max_plate_nesting=0)
        for _ in range(40):
            loss = elbo.differentiable_loss(guide.model.model, guide)
            rows.append(torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, parameters)]))
    found = torch.stack(rows)
    error = found.std(0) / math.sqrt(len(rows))
    assert bool(((found.mean(0) - expected).abs() < 5 * error + 1e-9).all())
    assert float(expected.abs().max()) > 0.01


@every_kind
def test_one_run_replays_in_the_model(kind: str):
    guide = KINDS[kind](random_problem(3, discount=0.8))
    trace = poutine.trace(guide).get_trace()
    replayed = poutine.trace(poutine.replay(guide.model.model, trace)).get_trace()
    assert math.isfinite(float(replayed.log_prob_sum()))
    plan = [trace.nodes[f"a_{t}"]["value"] for t in range(3)]
    assert [replayed.nodes[f"a_{t}"]["value"] for t in range(3)] == plan


def test_a_plan_is_drawn_whole():
    """A joint plan of two sequences: a run never mixes them, whatever the states do."""
    model = random_problem(3, ends=False, prior="uniform").model()
    plan = JointPlan(2, 3)
    with torch.no_grad():
        plan.logits[1].copy_(torch.tensor([[0.0, -math.inf], [-math.inf, 0.0]]))
        plan.logits[2].copy_(torch.tensor([[0.0, -math.inf]] * 2 + [[-math.inf, 0.0]] * 2))
    guide = PlanGuide(model, plan)
    with RandomStream(0):
        drawn, runs = guide.sample_plan(50), sample_trajectories(model, guide, 50).actions
    for rows in (drawn, runs):
        assert {tuple(row) for row in rows.tolist()} == {(0, 0, 0), (1, 1, 1)}


def test_plans_do_not_look_even_where_the_prior_forbids():
    """State 0 rules action 0 out: a plan that may take it there has the bound −∞, and is not quietly mended."""
    model = random_problem(1, states=2, prior="closed", ends=False).model()
    guide = PlanGuide(model, IndependentPlan(torch.zeros(3, 2, dtype=torch.float64)))
    with RandomStream(0), torch.no_grad():
        rollout = sample_program(model, guide, 200)
    assert float((rollout.log_p - rollout.log_q).sum(0).mean()) == -math.inf
    assert exact(guide) == -math.inf


@every_kind
def test_worlds_are_believed_as_the_family_says(kind: str):
    problem = random_problem(3)
    guide = KINDS[kind](problem)
    initial, transition = guide.initial, guide.transition
    assert transition.shape == (3, 3, 2, 3)
    fixed = kind in ("independent", "joint")
    assert guide.fixes_dynamics is fixed
    assert torch.allclose(initial, torch.as_tensor(problem.initial)) is fixed
    assert float(initial.sum()) == pytest.approx(1)
    live = [s for s in range(3) if any(problem.outcomes[s])]
    torch.testing.assert_close(transition[:, live].sum(-1), torch.ones(3, len(live), 2, dtype=torch.float64))
    assert guide.sample_plan(4).shape == (4, 3)
    if kind == "mean field":
        assert guide.policy(torch.tensor([0, 1]), 0).probs.shape == (2, 2)
    else:
        with pytest.raises(ValueError, match="sample_plan"):
            guide.policy(torch.tensor(0), 0)


def test_it_acts_in_a_program_too():
    problem = random_problem(8, prior="uniform", shared=False, ends=False)
    program = as_program(problem)
    plan = IndependentPlan(torch.tensor([[0.3, -0.2]] * 3, dtype=torch.float64))
    with RandomStream(0), torch.no_grad():
        rollout = sample_program(program, PlanGuide(program, plan), N)
    totals = (rollout.log_p - rollout.log_q).sum(0)
    expected = float(blind_bound(problem.model().tables, plan.log_table().detach()))
    assert abs(float(totals.mean()) - expected) < 4.5 * float(totals.std()) / math.sqrt(N)


def test_what_does_not_fit_is_refused():
    model = random_problem(3).model()
    endless = model.replaced(horizon=None, discount=0.5)
    with pytest.raises(ValueError, match="plan: its horizon is 2, the model's 3"):
        PlanGuide(model, JointPlan(2, 2))
    with pytest.raises(ValueError, match="plan: it has 4 actions to choose from, the model 2"):
        PlanGuide(model, JointPlan(4, 3))
    with pytest.raises(ValueError, match="horizon: a plan needs one"):
        PlanGuide(endless, JointPlan(2, 3))
    program = as_program(random_problem(8, prior="uniform", shared=False, ends=False))
    for recipe in (MAP(), MeanField()):
        with pytest.raises(ValueError, match=r"horizon.*None"):
            recipe.build(endless)
        with pytest.raises(ValueError, match="needs a tabular or continuous model"):
            recipe.build(program)


def test_a_mean_field_that_cannot_be_is_minus_infinity_in_pyro_too():
    problem = random_problem(1, states=2, ends=False, shared=False, deterministic=True)
    guide = MeanField().build(problem.model())
    with torch.no_grad():
        guide.state_logits.zero_()
    assert exact(guide) == -math.inf
    with RandomStream(0), torch.no_grad():
        rollout = sample_program(guide.model, guide, 200)
    assert float((rollout.log_p - rollout.log_q).sum(0).mean()) == -math.inf
