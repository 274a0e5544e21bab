"""Exact methods over a horizon against 50 digits: huge and equal rewards, α from 1e-4 to 1e4, p down to 1e-300.

What is relative to what: V, Q and log Z to their own size. Where they cancel, and for the log-probabilities that are
differences of them, rounding sets a floor: an r/α of 10¹⁰ nats is itself known to 10⁻⁶ nats only. Occupancies are
absolute, returns relative to the largest reward times the steps.
"""

import math

import numpy as np
import pyro.poutine as poutine
import pytest
import torch

from ppl_control import SVI, MessagePassing, SoftValueIteration, TrajectoryModel, evaluate, infer
from ppl_control.guides import MAP, FixedDynamics, Unconstrained
from ppl_control.inference import messages
from ppl_control.inference.exact.max_product import viterbi
from ppl_control.inference.exact.posterior import posterior_values
from tests.numerics.extremes import EPS, extreme, flat, largest_reward, model_in, require_close, steepness
from tests.numerics.oracle import Oracle, mp
from tests.problems import PRIORS, Problem

STEPS = 20
SCALES = [(1.0, 1.0), (1.0, 1e4), (1e6, 1e-4), (1e6, 1e4), (1e-3, 1e-4)]  # reward units and α
CASES = [
    pytest.param(extreme(scale=r, temperature=a, horizon=STEPS, discount=g, prior=prior), id=f"{prior}-{g}-{r:g}-{a:g}")
    for prior in PRIORS
    if prior != "policy"  # "timed" is one at every time
    for g in (1.0, 0.9)
    for r, a in (SCALES if g == 1.0 else SCALES[1:3])
]


def logs(table):
    return [mp.log(x) for x in flat(table)]


def floor(table) -> float:
    """Of values, nats: their own rounding, against the largest of them."""
    return 32 * EPS * (1 + max(float(abs(x)) for x in flat(table)))


def slack(problem: Problem) -> float:
    """Of log-probabilities, nats: what rounding one step's r/α does to a difference."""
    return 1e-12 + 8 * EPS * steepness(problem)


def decisions(oracle: Oracle, problem: Problem):
    """(t, s, a) at which something may be decided."""
    for t in range(problem.horizon):
        for s in range(oracle.n):
            for a in range(oracle.actions):
                if not oracle.terminal[s] and oracle.prior[t][s][a] > 0:
                    yield t, s, a


@pytest.mark.parametrize("problem", CASES)
def test_message_passing(problem: Problem):
    model, oracle = problem.model(), Oracle(problem)
    solution, (z, q) = infer(model, MessagePassing(), progress=False), oracle.posterior()
    exact = logs([row[:-1] for row in z])
    require_close(solution.soft_value / problem.temperature, exact, floor=floor(exact))
    evidence = oracle.evidence(z[0])
    require_close(solution.log_evidence_bound, [evidence], floor=floor(exact))

    policy = solution.guide.tables().policy.detach()
    places = list(decisions(oracle, problem))
    chosen = [mp.log(oracle.prior[t][s][a] * q[t][s][a] / z[t][s]) for t, s, a in places]
    require_close([policy[place] for place in places], chosen, floor=slack(problem))
    closed = torch.ones_like(policy, dtype=torch.bool)
    closed[tuple(torch.tensor(places).T)] = False
    assert (policy[:, : oracle.n - 1][closed[:, : oracle.n - 1]] == -math.inf).all()

    believed, mass = oracle.posterior_walk()
    report = evaluate(solution, model)
    require_close(report.believed_return, [believed], rel=0, floor=1e-9 * STEPS * largest_reward(problem))
    require_close(report.believed_states, flat([row[:-1] for row in mass]), rel=0, floor=slack(problem))
    require_close(messages(model).states, flat(mass), rel=0, floor=slack(problem))


@pytest.mark.parametrize("problem", CASES)
def test_soft_value_iteration(problem: Problem):
    model, oracle = problem.model(), Oracle(problem)
    solution, (value, q) = infer(model, SoftValueIteration(), progress=False), oracle.variational()
    exact = flat([row[:-1] for row in value])
    require_close(solution.soft_value / problem.temperature, exact, floor=floor(exact))
    bound = sum(p * v for p, v in zip(oracle.seats, value[0], strict=True))
    require_close(solution.log_evidence_bound, [bound], floor=floor(exact))

    policy = solution.guide.tables().policy.detach()
    places = list(decisions(oracle, problem))
    chosen = [mp.log(oracle.prior[t][s][a]) + q[t][s][a] - value[t][s] for t, s, a in places]
    require_close([policy[place] for place in places], chosen, floor=8 * floor(exact))

    gets, mass = oracle.walk(lambda t: oracle.policy(value[t], q[t], t))
    report = evaluate(solution, model)
    for found in (report.believed_return, report.executed_return):
        require_close(found, [gets], rel=0, floor=1e-9 * STEPS * largest_reward(problem))
    require_close(report.executed_states, flat([row[:-1] for row in mass]), rel=0, floor=1e-9)


@pytest.mark.parametrize("problem", CASES)
def test_the_most_likely_trajectory(problem: Problem):
    exact = Oracle(problem).viterbi()
    require_close(viterbi(problem.model().tables).log_joint, [exact], floor=32 * EPS * (1 + steepness(problem)))


@pytest.mark.parametrize("problem", CASES[::3])
def test_svi_arrives_at_the_same_bounds(problem: Problem):
    """The natural gradient of exact bounds: soft policy iteration, and the posterior."""
    model, oracle = problem.model(), Oracle(problem)
    value, _ = oracle.variational()
    z, _ = oracle.posterior()
    best = sum(p * v for p, v in zip(oracle.seats, value[0], strict=True))
    fitted = infer(model, SVI(FixedDynamics(), steps=3 * STEPS), progress=False)
    require_close(fitted.log_evidence_bound, [best], floor=floor(value))
    free = infer(model, SVI(Unconstrained(), steps=3 * STEPS), progress=False)
    exact = logs([row[:-1] for row in z])
    require_close(free.log_evidence_bound, [oracle.evidence(z[0])], floor=floor(exact))


@pytest.mark.parametrize("scan", [True, False])
@pytest.mark.parametrize("problem", CASES[::2])
def test_scan_and_loop_are_the_same(problem: Problem, scan: bool):
    """Both ways, also where ``MessagePassing`` would not choose them."""
    values, (z, _) = posterior_values(problem.model().tables, scan), Oracle(problem).posterior()
    exact = logs([row[:-1] for row in z])
    require_close(values[:, :-1] - values[:, -1:], exact, floor=floor(exact))


@pytest.mark.parametrize(
    "method", [MessagePassing(scan=True), MessagePassing(scan=False), SoftValueIteration()], ids=repr
)
def test_equal_rewards_cost_the_policy_no_digits(method):
    """A reward of 10¹⁰ nats at every step for 1000 steps leaves the prior as policy and the dynamics as they are."""
    outcomes = [[[(0.3, 0, 1e6, False), (0.7, 1, 1e6, False)], [(0.9, 1, 1e6, False), (0.1, 0, 1e6, False)]]] * 2
    problem = Problem(np.array([0.4, 0.6]), outcomes, 1000, 1e-4, 1.0, "uniform", np.zeros(0))
    model: TrajectoryModel = problem.model()
    solution = infer(model, method, progress=False)
    guide = solution.guide.tables()
    torch.testing.assert_close(guide.policy.exp(), torch.full_like(guide.policy, 0.5), rtol=1e-12, atol=0)
    if guide.outcomes is not None:
        believed = model.tables.outcomes.probability.expand_as(guide.outcomes)
        torch.testing.assert_close(guide.outcomes.exp(), believed, rtol=1e-14, atol=0)
    assert solution.log_evidence_bound == pytest.approx(1e13, rel=1e-12)


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize(("scale", "temperature"), [(1.0, 1.0), (1e6, 1e-4), (1e6, 1e4), (1.0, 1e4)])
def test_single_precision(prior: str, scale: float, temperature: float):
    """A step rounds values a few times, so that T steps leave 4 T ε of the largest; p is above 1e-38 here."""
    problem = extreme(scale=scale, temperature=temperature, horizon=STEPS, prior=prior, discount=0.9, rare=1e-30)
    problem.outcomes[1][1][2] = (1e-20, *problem.outcomes[1][1][2][1:])
    model, oracle = model_in(problem, torch.float32), Oracle(problem)
    (z, _), (value, q) = oracle.posterior(), oracle.variational()
    eps = torch.finfo(torch.float32).eps
    for method, truth in [
        (MessagePassing(scan=True), logs([row[:-1] for row in z])),
        (MessagePassing(scan=False), logs([row[:-1] for row in z])),
        (SoftValueIteration(), flat([row[:-1] for row in value])),
    ]:
        solution = infer(model, method, progress=False)
        assert solution.soft_value.dtype == torch.float32
        size = 1 + max(float(abs(x)) for x in truth)
        require_close(solution.soft_value / temperature, truth, rel=0, floor=4 * STEPS * eps * size)
    if size < 1e4:  # else the policy's log-probabilities, differences of values, have no digits
        gets, _ = oracle.walk(lambda t: oracle.policy(value[t], q[t], t))
        report = evaluate(infer(model, SoftValueIteration(), progress=False), model)
        spread = 8 * STEPS * eps * size  # nats that the policy may be off
        require_close(report.executed_return, [gets], rel=0, floor=spread * STEPS * largest_reward(problem))


@pytest.mark.parametrize("problem", CASES[::2])
def test_the_program_scores_what_hardly_ever_happens(problem: Problem):
    """The most likely trajectory, replayed site by site; in steep problems it lives on outcomes of 1e-300."""
    model = problem.model()
    guide = infer(model, SVI(MAP(), steps=1), progress=False).guide
    trace = poutine.trace(poutine.replay(model.model, poutine.trace(guide).get_trace())).get_trace()
    exact = Oracle(problem).viterbi()
    require_close(trace.log_prob_sum(), [exact], floor=32 * EPS * (1 + steepness(problem)))
