"""Plans, particles and single trajectories held against what they get."""

import itertools
import math

import numpy as np
import pytest
import torch

from ppl_control import SVI, FamilyOptimum, MessagePassing, ParticlePlanning, TrajectoryModel, evaluate, infer
from ppl_control.guides import MAP, MeanField, OpenLoop
from ppl_control.models import hiking
from tests.problems import Problem, each_problem, label, random_problem

APART = [problem for problem in each_problem() if problem.kind != "closed"][::2]


def walked(problem: Problem, plan: tuple[int, ...]) -> float:
    """E[Σ r] of one action sequence, by the problem's own lists."""
    here = np.array(problem.initial, dtype=float)
    ended = np.array([not rows[0] for rows in problem.outcomes])
    total = 0.0
    for action in plan:
        after = np.zeros_like(here)
        for s, mass in enumerate(here):
            if ended[s] or mass == 0:
                continue
            for p, following, reward, done in problem.outcomes[s][action]:
                total += mass * p * reward
                after[following] += 0.0 if done else mass * p * problem.discount
        here = np.where(ended, 0.0, after)
    return total


@pytest.mark.parametrize("problem", APART, ids=label)
def test_a_joint_plan_gets_what_its_sequences_get(problem: Problem):
    model = problem.model()
    solution = infer(model, FamilyOptimum(OpenLoop()))
    q = solution.guide.plan()
    plans = list(itertools.product(range(problem.num_actions), repeat=problem.horizon))
    wanted = sum(float(q.log_prob(torch.tensor(plan)).exp().detach()) * walked(problem, plan) for plan in plans)
    report = evaluate(solution, model)
    assert report.executed_return == pytest.approx(wanted)
    assert report.believed_return == pytest.approx(wanted)
    assert report.executed_return_stderr == 0
    assert report.optimism == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("problem", APART, ids=label)
@pytest.mark.parametrize("guide", [OpenLoop("independent"), MAP()], ids=["independent", "map"])
def test_other_plans_too(problem: Problem, guide):
    model = problem.model()
    solution = infer(model, SVI(guide, steps=50), progress=False)
    report = evaluate(solution, model, episodes=4000)
    if isinstance(guide, MAP):
        plan = tuple(solution.sample_plan(1)[0].tolist())
        assert report.executed_return == pytest.approx(walked(problem, plan))
        return
    table = solution.guide.plan.log_table().exp()
    plans = itertools.product(range(problem.num_actions), repeat=problem.horizon)
    chances = {plan: float(torch.stack([table[t, a] for t, a in enumerate(plan)]).prod()) for plan in plans}
    assert report.executed_return == pytest.approx(sum(p * walked(problem, plan) for plan, p in chances.items()))
    likeliest = max(chances, key=chances.__getitem__)
    firm = evaluate(solution, model, deterministic=True)
    assert firm.executed_return == pytest.approx(walked(problem, likeliest))


def test_plans_of_particles_are_executed_whole():
    problem = random_problem(4, prior="uniform")
    model = problem.model()
    solution = infer(model, ParticlePlanning(64), progress=False)
    weight = solution.guide.log_weights.exp()
    plans = [tuple(plan) for plan in solution.guide.actions.tolist()]
    wanted = sum(float(w) * walked(problem, plan) for w, plan in zip(weight, plans, strict=True))
    report = evaluate(solution, model, episodes=20_000)
    assert abs(report.executed_return - wanted) < 4 * report.executed_return_stderr
    heaviest = plans[int(weight.argmax())]
    assert evaluate(solution, model, deterministic=True).executed_return == pytest.approx(walked(problem, heaviest))


def test_a_plan_meets_another_world():
    calm, windy = hiking.model(noise=0.0), hiking.model(noise=0.2)
    solution = infer(calm, SVI(MAP()))
    report = evaluate(solution, windy)
    assert report.believed_return == pytest.approx(9.5)
    assert report.executed_return < report.believed_return - 1


def test_mean_field_believes_and_gets_apart():
    model = hiking.model()
    solution = infer(model, SVI(MeanField()), progress=False)
    report = evaluate(solution, model)
    assert report.optimism > 5
    assert report.believed_states.shape == (14, 25)
    log_z = infer(model, MessagePassing()).log_evidence_bound
    assert log_z - 1 < solution.log_evidence_bound < log_z


def test_a_discounted_plan_is_also_told_undiscounted():
    model = TrajectoryModel(random_problem(1).mdp(), horizon=3, discount=0.8)
    whole = model.replaced(discount=1.0)
    solution = infer(model, FamilyOptimum(OpenLoop()))
    report = evaluate(solution, model)
    assert report.episode_return == pytest.approx(evaluate(solution, whole).executed_return)
    assert not math.isclose(report.episode_return, report.executed_return)
