"""Equations 20 to 24: guides as families, and the optimum of each."""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch

from ppl_control.guides.mean_field import Beliefs
from ppl_control.inference.exact.max_product import viterbi
from ppl_control.inference.exact.mean_field import mean_field_bound, mean_field_step
from ppl_control.inference.exact.open_loop import make_tree, tree_optimum
from tests import brute_force
from tests import brute_force_plans as plans
from tests.problems import Problem
from tests.theory.checks.bound import log_p, walks
from tests.theory.registry import close, equation
from tests.theory.worlds import PROBLEM, SURE, alive, log_sum, outcomes, random_tables

ALPHA, T, N, A = PROBLEM.temperature, PROBLEM.horizon, PROBLEM.num_states, PROBLEM.num_actions
SLACK = 1e-10


def plan_of(levels) -> dict[tuple[int, ...], float]:
    """q(a_0 … a_{T−1}) from q(a | prefix); a prefix's row is the number that its actions write in base A."""
    found = {}
    for actions in itertools.product(range(A), repeat=T):
        log_q, row = 0.0, 0
        for level, a in zip(levels, actions, strict=True):
            log_q += float(level[row, a])
            row = row * A + a
        found[actions] = math.exp(log_q)
    return found


@equation(20, tree_optimum)
def check_open_loop():
    levels, bound = tree_optimum(make_tree(SURE.model().tables))

    def worth(path) -> float:
        return sum(path.rewards) / SURE.temperature + brute_force.log_prior(SURE, path)

    targets = {a: plans.expectation(SURE, a, worth) for a in plans.sequences(SURE)}
    Z = sum(math.exp(target) for target in targets.values())
    plan = plan_of(levels)
    close([plan[a] for a in targets], [math.exp(target) / Z for target in targets.values()])
    close(bound, math.log(Z))


@equation(21, make_tree, tree_optimum)
def check_tree():
    def U(there: np.ndarray, t: int) -> float:
        """Of a prefix after which people are alive in ``there`` [s]; w is their sum."""
        terms = []
        for a in range(A):
            g, after = 0.0, np.zeros(N)
            for s in alive(PROBLEM):
                g += there[s] * math.log(PROBLEM.prior[t, s, a])
                for p, k, r, goes in outcomes(PROBLEM, s, a):
                    g += there[s] * p * r / ALPHA
                    after[k] += there[s] * p * goes * (k in alive(PROBLEM))
            ahead = after.sum() * U(after, t + 1) if t + 1 < T and after.sum() > 0 else 0.0
            terms.append((g + ahead) / there.sum())
        return log_sum(terms)

    first = np.where([s in alive(PROBLEM) for s in range(N)], PROBLEM.initial, 0.0)
    levels, bound = tree_optimum(make_tree(PROBLEM.model().tables))
    close(bound, first.sum() * U(first, 0))
    close(bound, plans.elbo(PROBLEM, plan_of(levels)))
    random = plan_of([random_tables(A**t, A, seed=t) for t in range(T)])
    assert plans.elbo(PROBLEM, random) < bound


def full(T: int = 2, ends: bool = True) -> Problem:
    """Every (s, a) leads everywhere; where there are ends, also to the end."""
    rng = np.random.default_rng(0)
    rows = [[[], []], [[], []]]
    for s, a in itertools.product(range(2), range(2)):
        chances = rng.dirichlet(np.ones(2 + ends))
        rows[s][a] = [(chances[k], k, rng.normal(), False) for k in range(2)]
        rows[s][a] += [(chances[2], 0, rng.normal(), True)] if ends else []
    prior = rng.dirichlet(np.ones(2), size=(T, 2))
    return Problem(rng.dirichlet(np.ones(2)), rows, T, 0.7, 1.0, "timed", prior)


@equation(22, mean_field_bound)
def check_mean_field():
    problem, end = full(), 2
    states, actions = random_tables(3, 3, seed=1), random_tables(2, 2, seed=2)
    states[:-1, end] = -torch.inf  # who may have ended cannot be sure to go on: the end is believed in last
    states = torch.log_softmax(states, -1)
    q_s, q_a = states.exp().numpy(), actions.exp().numpy()

    def psi(s: int, a: int, following: int) -> float:
        rows = [(p, r) for p, k, r, g in outcomes(problem, s, a) if (k if g else end) == following]
        return math.log(sum(p * math.exp(r / problem.temperature) for p, r in rows))

    total = 0.0
    for path in itertools.product(range(2), range(2), range(3)):
        for a in itertools.product(range(2), repeat=2):
            q = math.prod(q_s[t, s] for t, s in enumerate(path)) * math.prod(q_a[t, x] for t, x in enumerate(a))
            terms = math.log(problem.initial[path[0]]) - sum(math.log(q_s[t, s]) for t, s in enumerate(path))
            for t in range(2):  # every s_t is alive here
                terms += math.log(problem.prior[t, path[t], a[t]]) + psi(path[t], a[t], path[t + 1])
                terms -= math.log(q_a[t, a[t]])
            total += q * terms
    close(mean_field_bound(problem.model().tables, Beliefs(states, actions)), total)


@equation(23, mean_field_step)
def check_coordinate_ascent():
    problem = full(ends=False)
    states, actions = random_tables(3, 2, seed=1), random_tables(2, 2, seed=2)
    padded = torch.cat([states, torch.full((3, 1), -torch.inf).double()], -1)
    found, _, _ = mean_field_step(problem.model().tables, Beliefs(padded, actions))
    q = [states[0], actions[0], states[1], actions[1], states[2]]  # in the order of their turns
    q = [table.exp().numpy() for table in q]

    def log_joint(x: tuple[int, ...]) -> float:
        total = math.log(problem.initial[x[0]])
        for t in range(2):
            s, a, following = x[2 * t : 2 * t + 3]
            p, _, r, _ = next(row for row in outcomes(problem, s, a) if row[1] == following)
            total += math.log(problem.prior[t, s, a]) + math.log(p) + r / problem.temperature
        return total

    for i in range(5):
        target = np.zeros(2)
        for x in itertools.product(range(2), repeat=5):
            target[x[i]] += math.prod(q[j][x[j]] for j in range(5) if j != i) * log_joint(x)
        q[i] = np.exp(target - np.logaddexp.reduce(target))
    close(found.states[:, :2].exp(), [q[0], q[2], q[4]])
    close(found.actions.exp(), [q[1], q[3]])


@equation(24, viterbi)
def check_map():
    found, best = viterbi(PROBLEM.model().tables), max(walks(), key=log_p)
    close(found.log_joint, log_p(best))
    assert int(found.path.states[0]) == best.first
    for t, s, a, k in best.steps:
        assert [int(x[t]) for x in (found.path.states, found.path.actions, found.path.outcomes)] == [s, a, k]
