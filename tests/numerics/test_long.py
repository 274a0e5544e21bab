"""Ten thousand steps against 50 digits: nothing over- or underflows, and errors do not pile up beyond T ε."""

import pytest

from ppl_control import MessagePassing, SoftValueIteration, evaluate, infer
from tests.numerics.extremes import EPS, extreme, largest_reward, require_close, steepness
from tests.numerics.oracle import Oracle, mp
from tests.problems import Problem

STEPS = 10_000
TIMES = [*range(0, STEPS, 997), STEPS - 2, STEPS - 1, STEPS]

slow = pytest.mark.slow
CASES = [
    pytest.param(1.0, 1.0, 1.0, "base", id="ordinary"),
    pytest.param(1e6, 1e-4, 1.0, "uniform", id="steep", marks=slow),
    pytest.param(1e6, 1e4, 0.999, "policy", id="warm", marks=slow),
    pytest.param(1.0, 1e4, 1.0, "closed", id="flat", marks=slow),
    pytest.param(1e6, 1e-4, 0.9, "timed", id="timed", marks=slow),
]


def long(scale: float, temperature: float, discount: float, prior: str) -> Problem:
    return extreme(
        scale=scale, temperature=temperature, discount=discount, prior=prior, horizon=STEPS, states=3, actions=2
    )


@pytest.mark.parametrize(("scale", "temperature", "discount", "prior"), CASES)
def test_message_passing(scale: float, temperature: float, discount: float, prior: str):
    problem = long(scale, temperature, discount, prior)
    model, oracle = problem.model(), Oracle(problem)
    z, q = oracle.posterior()
    exact = [mp.log(x) for t in TIMES for x in z[t][:-1]]
    rounding = STEPS * EPS * (1 + max(float(abs(x)) for x in exact))
    for scan in (True, False) if prior != "timed" else (False, True):
        solution = infer(model, MessagePassing(scan=scan), progress=False)
        require_close(solution.soft_value[TIMES] / temperature, exact, floor=rounding)
        require_close(solution.log_evidence_bound, [oracle.evidence(z[0])], floor=rounding)
        policy = solution.guide.tables().policy.detach()
        for t in TIMES[:-1]:
            places = [(s, a) for s in range(oracle.n - 1) for a in range(oracle.actions) if oracle.prior[t][s][a] > 0]
            chosen = [mp.log(oracle.prior[t][s][a] * q[t][s][a] / z[t][s]) for s, a in places]
            require_close([policy[t][place] for place in places], chosen, floor=1e-12 + 8 * EPS * steepness(problem))
    believed, mass = oracle.posterior_walk()
    report = evaluate(solution, model)
    require_close(report.believed_return, [believed], rel=0, floor=1e-9 * STEPS * largest_reward(problem))
    require_close(
        report.believed_states[TIMES],
        [x for t in TIMES for x in mass[t][:-1]],
        rel=0,
        floor=1e-9 + 8 * EPS * steepness(problem),
    )


@pytest.mark.parametrize(("scale", "temperature", "discount", "prior"), CASES)
def test_soft_value_iteration(scale: float, temperature: float, discount: float, prior: str):
    problem = long(scale, temperature, discount, prior)
    model, oracle = problem.model(), Oracle(problem)
    value, q = oracle.variational()
    solution = infer(model, SoftValueIteration(), progress=False)
    exact = [x for t in TIMES for x in value[t][:-1]]
    rounding = STEPS * EPS * (1 + max(float(abs(x)) for x in exact))
    require_close(solution.soft_value[TIMES] / temperature, exact, floor=rounding)
    gets, _ = oracle.walk(lambda t: oracle.policy(value[t], q[t], t))
    report = evaluate(solution, model)
    for found in (report.believed_return, report.executed_return):
        require_close(found, [gets], rel=0, floor=1e-9 * STEPS * largest_reward(problem))
