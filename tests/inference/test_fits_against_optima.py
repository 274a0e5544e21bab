"""No fit is above the optimum of its family, and gradient fits come near it."""

import pytest
from hypothesis import given, settings

from ppl_control import SVI, FamilyOptimum, evaluate, infer
from ppl_control.guides import MAP, FixedDynamics, MeanField, OpenLoop, Unconstrained
from tests.problems import Problem, each_problem, label, problems

FITS = {
    "fixed_dynamics": (FixedDynamics(), {}),
    "fixed_dynamics_adam": (FixedDynamics(), {"optimizer": "adam"}),
    "fixed_dynamics_score": (FixedDynamics(), {"estimator": "score", "particles": 16}),
    "unconstrained": (Unconstrained(), {}),
    "unconstrained_adam": (Unconstrained(), {"optimizer": "adam"}),
    "joint": (OpenLoop("joint"), {}),
    "independent": (OpenLoop("independent"), {}),
    "mean_field": (MeanField(), {}),
    "map": (MAP(), {}),
}


@settings(max_examples=15)
@given(problem=problems())
@pytest.mark.parametrize("name", FITS)
def test_no_fit_is_above_its_family(name: str, problem: Problem):
    guide, how = FITS[name]
    family = OpenLoop() if isinstance(guide, OpenLoop) else guide
    if isinstance(guide, MeanField):
        family = Unconstrained()  # whose optimum is known for sure
    model = problem.model()
    best = infer(model, FamilyOptimum(family)).log_evidence_bound
    fitted = infer(model, SVI(guide, steps=15, **how), progress=False).log_evidence_bound
    assert fitted <= best + 1e-9 * (1 + abs(best))


@pytest.mark.parametrize("problem", [p for p in each_problem() if p.kind != "closed"][::3], ids=label)
@pytest.mark.parametrize("optimizer", ["natural", "adam"])
def test_plans_reach_the_optimum(problem: Problem, optimizer: str):
    model = problem.model()
    best = infer(model, FamilyOptimum(OpenLoop())).log_evidence_bound
    fitted = infer(model, SVI(OpenLoop("joint"), steps=300, optimizer=optimizer), progress=False)
    assert fitted.log_evidence_bound == pytest.approx(best, abs=1e-9 if optimizer == "natural" else 1e-5)
    independent = infer(model, SVI(OpenLoop("independent"), steps=300, optimizer=optimizer), progress=False)
    assert independent.log_evidence_bound <= best + 1e-12


@pytest.mark.parametrize("problem", each_problem()[::2], ids=label)
def test_one_trajectory_is_found_at_once(problem: Problem):
    model = problem.model()
    best = infer(model, FamilyOptimum(MAP())).log_evidence_bound
    assert infer(model, SVI(MAP()), progress=False).log_evidence_bound == pytest.approx(best, abs=1e-12)


def expected(row: list, value: list[float], discount: float) -> float:
    """E[r + γ V(s')] of one row of outcomes."""
    return sum(p * (r + (0.0 if done else discount * value[s])) for p, s, r, done in row)


@pytest.mark.parametrize("problem", [p for p in each_problem() if p.kind != "closed"][::3], ids=label)
def test_a_falling_temperature_finds_the_best_expected_return(problem: Problem):
    """Against the best feedback policy by backward induction on the problem's own lists."""
    value = [0.0] * problem.num_states
    for _ in range(problem.horizon):
        value = [max((expected(row, value, problem.discount) for row in rows if row), default=0.0)
                 for rows in problem.outcomes]  # fmt: skip
    best = sum(p * v for p, v in zip(problem.initial, value, strict=True))
    model = problem.model()
    cold = infer(model, SVI(steps=60, final_temperature=1e-4), progress=False)
    assert cold.temperature == 1e-4
    assert evaluate(cold, model).executed_return == pytest.approx(best, abs=1e-6)
