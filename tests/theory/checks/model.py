"""Equations 1 to 3: the model."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

import numpy as np
import pyro.poutine as poutine

import ppl_control
from ppl_control.mdp.sparse import with_survival
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.rollout import log_joint, log_terms, sample_rollout
from ppl_control.trajectory.tables import GuideTables
from tests import brute_force
from tests.problems import Problem, random_problem
from tests.theory.registry import close, equation
from tests.theory.worlds import PROBLEM, SURE, outcomes, random_tables


def joint(problem: Problem, states: list[int], actions: list[int]) -> float:
    """Equation 1 where every (s, a, s') has one reward."""
    found = problem.initial[states[0]]
    for t, (s, a, s_next) in enumerate(zip(states, actions, states[1:], strict=False)):
        rows = [(p, r) for p, k, r, _ in outcomes(problem, s, a) if k == s_next]
        found *= problem.prior[t, s, a] * sum(p for p, _ in rows) * math.exp(rows[0][1] / problem.temperature)
    return found


@equation(1, ppl_control.TrajectoryModel.model, log_joint)
def check_joint():
    for problem in (SURE, random_problem(8, ends=False, shared=False, prior="base")):
        model, T = problem.model(), problem.horizon
        with RandomStream(0):
            trace = poutine.trace(model.model).get_trace()
        values = [[int(trace.nodes[f"{name}_{t}"]["value"]) for t in range(T + (name == "s"))] for name in "sa"]
        # Under the base measure actions are drawn uniformly, and the log-volume comes back in the factor.
        close(float(trace.log_prob_sum()), math.log(joint(problem, *values)))
        tables = model.tables
        guide = GuideTables(random_tables(T, problem.num_states, problem.num_actions))
        with RandomStream(1):
            rollout = sample_rollout(tables, guide, 20)
        walks = zip(rollout.states.T.tolist(), rollout.actions.T.tolist(), strict=True)
        found = log_joint(log_terms(tables, guide, rollout))
        close(found.numpy(), [math.log(joint(problem, *walk)) for walk in walks])


@equation(2, ppl_control.messages)
def check_posterior():
    found = ppl_control.messages(PROBLEM.model())
    log_joints = brute_force.log_joints(PROBLEM)  # every trajectory by enumeration
    Z = sum(math.exp(value) for value in log_joints.values())
    posterior = {path: math.exp(value) / Z for path, value in log_joints.items()}
    close(found.log_evidence, math.log(Z))
    T, n = PROBLEM.horizon, PROBLEM.num_states
    for t, s in itertools.product(range(T), range(n)):
        close(found.states[t, s], sum(w for path, w in posterior.items() if path.states[t] == s))
        for a in range(PROBLEM.num_actions):
            together = [w for path, w in posterior.items() if (path.states[t], path.actions[t]) == (s, a)]
            close(found.state_actions[t, s, a], sum(together))


@equation(3, with_survival)
def check_survival():
    mdp, n = PROBLEM.mdp(), PROBLEM.num_states
    split = with_survival(mdp.sparse, mdp.terminal.numpy(), PROBLEM.discount).entries()
    found: dict[tuple[int, int, int, float], float] = defaultdict(float)
    for s, a, k, r, p in zip(split.state, split.action, split.next_state, split.reward, split.probability, strict=True):
        found[s, a, k, r] += p
    expected: dict[tuple[int, int, int, float], float] = defaultdict(float)
    for s, a in itertools.product(range(n), range(PROBLEM.num_actions)):
        for p, k, r, g in outcomes(PROBLEM, s, a):
            expected[s, a, k, r] += g * p
            expected[s, a, n, r] += (1 - g) * p
        if not PROBLEM.outcomes[s][a]:
            expected[s, a, n, 0.0] = 1.0  # nothing happens in a terminal state
    kept = {place: p for place, p in expected.items() if p > 0}
    assert found.keys() == kept.keys()
    close([found[place] for place in kept], list(kept.values()))
    assert np.isclose(sum(found.values()), n * PROBLEM.num_actions)
