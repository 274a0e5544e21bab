"""Equations 4 to 13: the two backups, what is believed, what is computed."""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch

import ppl_control
from ppl_control.inference.exact import recursions
from ppl_control.inference.exact.posterior import posterior_of, posterior_values, step_matrices
from ppl_control.inference.exact.scan import backward_scan
from ppl_control.inference.exact.sweeps import soft_sweeps
from tests.theory.registry import close, equation
from tests.theory.worlds import PROBLEM, alive, outcomes, soft_values

ALPHA, T, N, A = PROBLEM.temperature, PROBLEM.horizon, PROBLEM.num_states, PROBLEM.num_actions
TABLES = PROBLEM.model().tables
PLACES = list(itertools.product(alive(PROBLEM), range(A)))


def random_value() -> np.ndarray:
    """V [s] in reward units, 0 in terminal states."""
    value = np.random.default_rng(5).normal(size=N)
    value[[s for s in range(N) if s not in alive(PROBLEM)]] = 0.0
    return value


@equation(4, recursions.posterior_backup)
def check_optimistic_backup():
    V = random_value()
    found = ALPHA * recursions.posterior_backup(TABLES, torch.as_tensor(V / ALPHA))
    for s, a in PLACES:
        rows = outcomes(PROBLEM, s, a)
        terms = [p * math.exp(r / ALPHA) * (1 - g + g * math.exp(V[k] / ALPHA)) for p, k, r, g in rows]
        close(found[s, a], ALPHA * math.log(sum(terms)))


@equation(5, recursions.variational_backup)
def check_fixed_dynamics_backup():
    V = random_value()
    found = ALPHA * recursions.variational_backup(TABLES, torch.as_tensor(V / ALPHA))
    for s, a in PLACES:
        close(found[s, a], sum(p * (r + g * V[k]) for p, k, r, g in outcomes(PROBLEM, s, a)))


@equation(6, recursions.soft_maximum, recursions.backward)
def check_soft_maximum():
    Q, prior = np.random.default_rng(6).normal(size=(N, A)), PROBLEM.prior[0]
    found = recursions.soft_maximum(torch.as_tensor(Q / ALPHA), torch.as_tensor(np.log(prior)))
    close(ALPHA * found, ALPHA * np.log((prior * np.exp(Q / ALPHA)).sum(-1)))
    for backup, optimistic in ((recursions.posterior_backup, True), (recursions.variational_backup, False)):
        values, q = recursions.backward(TABLES, backup)
        V, Q = soft_values(PROBLEM, optimistic)
        close(ALPHA * values, V)
        close(ALPHA * q[:, alive(PROBLEM)], Q[:, alive(PROBLEM)])


@equation(7, posterior_of, soft_sweeps)
def check_policy():
    posterior = posterior_of(TABLES, posterior_values(TABLES)).guide.policy.exp()
    sober = soft_sweeps(TABLES, TABLES.expected_reward)[2]
    for found, optimistic in ((posterior, True), (sober, False)):
        V, Q = soft_values(PROBLEM, optimistic)
        expected = PROBLEM.prior * np.exp((Q - V[:-1, :, None]) / ALPHA)
        close(found[:, alive(PROBLEM)], expected[:, alive(PROBLEM)])


@equation(8, posterior_of)
def check_believed_dynamics():
    found = posterior_of(TABLES, posterior_values(TABLES)).guide.outcomes.exp()
    V, Q = soft_values(PROBLEM, True)
    p, reward, successor = TABLES.outcomes.probability, TABLES.outcomes.reward, TABLES.successor
    for t, (s, a), k in itertools.product(range(T), PLACES, range(p.shape[-1])):
        ahead = [*V[t + 1], 0.0][successor[s, a, k]]  # the silent end is worth 0
        close(found[t, s, a, k], p[s, a, k] * math.exp((reward[s, a, k] + ahead - Q[t, s, a]) / ALPHA))


@equation(9, posterior_of)
def check_believed_start():
    found = posterior_of(TABLES, posterior_values(TABLES)).guide.initial.exp()
    V, _ = soft_values(PROBLEM, True)
    weights = PROBLEM.initial * np.exp(V[0] / ALPHA)
    close(found[alive(PROBLEM)], (weights / weights.sum())[alive(PROBLEM)])


@equation(10, ppl_control.MessagePassing.solve)
def check_evidence():
    V, _ = soft_values(PROBLEM, True)
    found = ppl_control.MessagePassing().solve(PROBLEM.model()).log_evidence_bound
    close(found, math.log(sum(PROBLEM.initial * np.exp(V[0] / ALPHA))))


@equation(11, ppl_control.SoftValueIteration.solve)
def check_best_bound():
    V, _ = soft_values(PROBLEM, False)
    found = ppl_control.SoftValueIteration().solve(PROBLEM.model()).log_evidence_bound
    close(found, sum(PROBLEM.initial * V[0] / ALPHA))


@equation(12, ppl_control.messages)
def check_messages():
    found = ppl_control.messages(PROBLEM.model())
    V, _ = soft_values(PROBLEM, True)
    f = PROBLEM.initial.copy()
    Z = sum(f * np.exp(V[0] / ALPHA))
    for t in range(T + 1):
        close(found.log_forward[t, alive(PROBLEM)].exp(), f[alive(PROBLEM)])
        close(found.log_backward[t, :N].exp(), np.exp(V[t] / ALPHA))
        close(found.states[t, alive(PROBLEM)], (f * np.exp(V[t] / ALPHA) / Z)[alive(PROBLEM)])
        following = np.zeros(N)
        for s, a in PLACES if t < T else []:
            for p, k, r, g in outcomes(PROBLEM, s, a):  # what goes on
                following[k] += f[s] * PROBLEM.prior[t, s, a] * g * p * math.exp(r / ALPHA)
        f = following


@equation(13, step_matrices, backward_scan)
def check_linearity():
    M = np.zeros((T, N + 1, N + 1))
    M[:, [s for s in range(N + 1) if s not in alive(PROBLEM)], N] = 1.0
    for t, (s, a) in itertools.product(range(T), PLACES):
        for p, k, r, g in outcomes(PROBLEM, s, a):
            weight = PROBLEM.prior[t, s, a] * p * math.exp(r / ALPHA)
            stays = k if k in alive(PROBLEM) else N
            M[t, s, stays] += weight * g
            M[t, s, N] += weight * (1 - g)
    step = step_matrices(TABLES)
    close((step.values + step.unit[:, None, None]).exp(), M)
    scanned = backward_scan(step, torch.zeros(N + 1).double(), T)
    z = np.ones((T + 1, N + 1))
    for t in reversed(range(T)):
        z[t] = M[t] @ z[t + 1]
    close((scanned.values + scanned.unit[:, None]).exp(), z)
    close(ALPHA * np.log(z[:, alive(PROBLEM)]), soft_values(PROBLEM, True)[0][:, alive(PROBLEM)])
