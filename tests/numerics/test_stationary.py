"""Fixed points without a horizon against 50 digits: huge rewards, α 1e-4 … 1e4, p down to 1e-300, γ up to 1 − 10⁻⁶.

Values are relative to their own size. A residual of rounding grows by the length of life, 1/(1−γ), at most.
"""

from dataclasses import replace

import pytest
import torch

from ppl_control import MessagePassing, SoftValueIteration, evaluate, infer
from tests.numerics.extremes import EPS, extreme, largest_reward, model_in, require_close
from tests.numerics.oracle import Oracle, mp
from tests.problems import Problem


def endless(problem: Problem):
    return problem.model().replaced(horizon=None)


def losing(problem: Problem) -> Problem:
    """The same with rewards below 0 that exp(r/α) sums to less than 1 over actions: the posterior exists."""
    least = problem.temperature
    paid = [[[(p, s, -least - abs(r), d) for p, s, r, d in row] for row in rows] for rows in problem.outcomes]
    return replace(problem, outcomes=paid)


SCALES = [(1.0, 1.0), (1.0, 1e4), (1e6, 1e-4), (1e6, 1e4), (1e-3, 1e-4), (1e6, 1.0)]


@pytest.mark.parametrize(("scale", "temperature"), SCALES)
@pytest.mark.parametrize("discount", [0.5, 0.9, 0.999, 1 - 1e-6])
@pytest.mark.parametrize("prior", ["base", "uniform", "closed"])
def test_soft_value_iteration(prior: str, discount: float, scale: float, temperature: float):
    problem = extreme(scale=scale, temperature=temperature, discount=discount, prior=prior, horizon=1)
    model, oracle = endless(problem), Oracle(problem)
    value = oracle.stationary_variational()
    solution = infer(model, SoftValueIteration(), progress=False)
    rounding = 32 * EPS * (1 + max(float(abs(x)) for x in value))
    require_close(solution.soft_value / temperature, value[:-1], floor=rounding)
    exact = [x * oracle.temperature for x in value[:-1]]
    require_close(solution.soft_value, exact, rel=0, floor=solution.error_bound)  # what it says of itself
    policy = oracle.policy(value, oracle.expected(value), 0)
    report = evaluate(solution, model)
    gets = oracle.stationary_return(policy)
    require_close(report.executed_return, [gets], rel=0, floor=1e-9 * largest_reward(problem) / (1 - discount))


@pytest.mark.parametrize(("scale", "temperature"), SCALES)
@pytest.mark.parametrize("discount", [0.5, 0.9, 0.999, 1.0])
@pytest.mark.parametrize("prior", ["policy", "closed"])
def test_message_passing(prior: str, discount: float, scale: float, temperature: float):
    problem = losing(extreme(scale=scale, temperature=temperature, discount=discount, prior=prior, horizon=1))
    model, oracle = endless(problem), Oracle(problem)
    z = oracle.stationary_posterior()
    solution = infer(model, MessagePassing(), progress=False)
    exact = [mp.log(x) for x in z[:-1]]
    rounding = 32 * EPS * (1 + max(float(abs(x)) for x in exact))
    require_close(solution.soft_value / temperature, exact, floor=rounding)
    require_close(solution.log_evidence_bound, [oracle.evidence(z)], floor=rounding)


@pytest.mark.parametrize(("scale", "temperature"), [(1.0, 1.0), (1e6, 1e-4), (1e6, 1e4)])
@pytest.mark.parametrize("discount", [0.5, 0.99])
def test_single_precision(discount: float, scale: float, temperature: float):
    """A residual of 16 ε of the largest value, over a life of 1/(1−γ) steps; and what the solution says of itself."""
    problem = extreme(
        scale=scale, temperature=temperature, discount=discount, prior="policy", horizon=1, rare=1e-30, states=3
    )
    problem.outcomes[1][1][2] = (1e-20, *problem.outcomes[1][1][2][1:])
    eps = torch.finfo(torch.float32).eps
    for method, case in ((SoftValueIteration(), problem), (MessagePassing(), losing(problem))):
        oracle = Oracle(case)
        soft = isinstance(method, SoftValueIteration)
        exact = oracle.stationary_variational() if soft else [mp.log(x) for x in oracle.stationary_posterior()]
        solution = infer(model_in(case, torch.float32).replaced(horizon=None), method, progress=False)
        assert solution.soft_value.dtype == torch.float32
        size = 1 + max(float(abs(x)) for x in exact)
        require_close(solution.soft_value / temperature, exact[:-1], rel=0, floor=16 * eps * size / (1 - discount))
        if soft:
            exact = [x * oracle.temperature for x in exact[:-1]]
            require_close(solution.soft_value, exact, rel=0, floor=solution.error_bound)
