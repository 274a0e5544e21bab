"""Equations 14 to 19: the bound, how it is climbed, and what is believed and executed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

import ppl_control
from ppl_control import guides
from ppl_control.inference.exact import recursions
from ppl_control.inference.variational.exact_bound import natural_step
from ppl_control.inference.variational.score import tabular_loss
from ppl_control.policies import TabularPolicy
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.rollout import log_terms, sample_rollout
from ppl_control.trajectory.tables import GuideTables
from tests import brute_force
from tests.theory.registry import close, equation
from tests.theory.worlds import PROBLEM, alive, outcomes, random_tables, soft_values

ALPHA, T, N, A = PROBLEM.temperature, PROBLEM.horizon, PROBLEM.num_states, PROBLEM.num_actions
MODEL = PROBLEM.model()
TABLES = MODEL.tables
P, REWARD, SUCCESSOR = TABLES.outcomes.probability, TABLES.outcomes.reward, TABLES.successor


@dataclass(frozen=True)
class Walk:
    """A trajectory: the first state, and (t, s, a, k) of every decision."""

    first: int
    steps: tuple[tuple[int, int, int, int], ...] = ()


def walks(walk: Walk | None = None, state: int = 0) -> Iterator[Walk]:
    """Every trajectory with its outcomes, by the table of equation 3."""
    if walk is None:
        for first in range(N + 1):
            if TABLES.initial[first] > 0:
                yield from walks(Walk(first), first)
    elif state == N or len(walk.steps) == T:
        yield walk
    else:
        for a, k in itertools.product(range(A), range(P.shape[-1])):
            if P[state, a, k] > 0:
                step = (len(walk.steps), state, a, k)
                yield from walks(Walk(walk.first, (*walk.steps, step)), int(SUCCESSOR[state, a, k]))


def log_p(walk: Walk) -> float:
    """Log p(τ, O)."""
    found = math.log(TABLES.initial[walk.first])
    for t, s, a, k in walk.steps:
        found += math.log(PROBLEM.prior[t, s, a]) + math.log(P[s, a, k]) + float(REWARD[s, a, k]) / ALPHA
    return found


def log_q(walk: Walk, guide: GuideTables) -> float:
    """Log q(τ) of a guide that learns everything."""
    return float(guide.initial[walk.first]) + sum(
        float(guide.policy[t, s, a] + guide.outcomes[t, s, a, k]) for t, s, a, k in walk.steps
    )


def free_guide() -> GuideTables:
    """A random guide with dynamics and a first state of its own."""
    first = random_tables(N + 1, seed=1).masked_fill(TABLES.initial == 0, -torch.inf)
    beliefs = random_tables(T, *P.shape, seed=2).masked_fill(P == 0, -torch.inf)
    return GuideTables(random_tables(T, N, A), torch.log_softmax(first, -1), torch.log_softmax(beliefs, -1))


@equation(14, recursions.guide_values, recursions.elbo)
def check_gap():
    guide, every = free_guide(), list(walks())
    p = np.array([math.exp(log_p(walk)) for walk in every])
    q = np.array([math.exp(log_q(walk, guide)) for walk in every])
    close(q.sum(), 1.0)
    value, _ = recursions.guide_values(TABLES, guide)
    bound = float(recursions.elbo(TABLES, guide, value[0]))
    close(bound, (q * (np.log(p) - np.log(q))).sum())
    posterior = p / p.sum()
    divergence = (q * (np.log(q) - np.log(posterior))).sum()
    assert divergence > 0.1
    close(math.log(p.sum()), bound + divergence)


@equation(15, log_terms)
def check_cancellation():
    guide = GuideTables(random_tables(T, N, A))
    with RandomStream(0):
        rollout = sample_rollout(TABLES, guide, 50)
    found = log_terms(TABLES, guide, rollout)
    log_joint = (found.reward + found.prior + found.dynamics).sum(0) + found.first
    difference = log_joint - (found.policy + found.belief).sum(0) - found.first_belief
    for i in range(50):
        total = 0.0
        for t, (s, a, k) in enumerate(zip(*(x[:, i].tolist() for x in _decisions(rollout)), strict=True)):
            if s < N:
                total += (
                    float(REWARD[s, a, k]) / ALPHA + math.log(PROBLEM.prior[t, s, a]) - float(guide.policy[t, s, a])
                )
        close(difference[i], total)


def _decisions(rollout) -> tuple[torch.Tensor, ...]:
    return rollout.states[:-1], rollout.actions, rollout.outcomes


def evaluated(policy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """V^q and Q^q of equation 16, reward units."""
    V, Q = np.zeros((T + 1, N)), np.zeros((T, N, A))
    for t, s in itertools.product(reversed(range(T)), alive(PROBLEM)):
        for a in range(A):
            Q[t, s, a] = sum(p * (r + g * V[t + 1, k]) for p, k, r, g in outcomes(PROBLEM, s, a))
        V[t, s] = sum(policy[t, s] * (Q[t, s] + ALPHA * np.log(PROBLEM.prior[t, s] / policy[t, s])))
    return V, Q


@equation(16, recursions.guide_values, recursions.guide_q)
def check_policy_evaluation():
    guide = GuideTables(random_tables(T, N, A))
    V, Q = evaluated(guide.policy.exp().numpy())
    value, q = recursions.guide_values(TABLES, guide)
    close(ALPHA * value, V)
    close(ALPHA * q[:, alive(PROBLEM)], Q[:, alive(PROBLEM)])
    close(sum(PROBLEM.initial * V[0]) / ALPHA, brute_force.elbo(PROBLEM, guide.policy.exp().numpy()))


@equation(17, natural_step)
def check_natural_gradient():
    before, rho = random_tables(T, N, A), 0.3
    guide = guides.FixedDynamics(TabularPolicy(before.clone())).build(MODEL)
    natural_step(guide, rho)
    after = torch.log_softmax(guide.policy.logits.detach(), -1).numpy()
    _, Q = evaluated(before.exp().numpy())
    expected = (1 - rho) * before.numpy() + rho * (np.log(PROBLEM.prior) + Q / ALPHA)
    constant = after - expected
    close(constant[:, alive(PROBLEM), 1:], constant[:, alive(PROBLEM), :1])
    # T full steps arrive.
    for _ in range(T):
        natural_step(guide, 1.0)
    V, Q = soft_values(PROBLEM, False)
    best = PROBLEM.prior * np.exp((Q - V[:-1, :, None]) / ALPHA)
    close(guide.policy.logits.softmax(-1).detach()[:, alive(PROBLEM)], best[:, alive(PROBLEM)])


@equation(18, tabular_loss)
def check_score_function():
    n, baseline = 30, torch.randn(T, N, generator=torch.Generator().manual_seed(4)).double()
    guide = guides.FixedDynamics(TabularPolicy(random_tables(T, N, A))).build(MODEL)
    with RandomStream(7):
        _, loss, _ = tabular_loss(guide, n, baseline)
    loss.backward()
    log_policy = random_tables(T, N, A).numpy()
    q, ratio = np.exp(log_policy), np.log(PROBLEM.prior) - log_policy
    c = (q * ratio).sum(-1)
    with RandomStream(7):
        rollout = sample_rollout(TABLES, GuideTables(torch.as_tensor(log_policy)), n)
    slope = np.zeros((T, N, A))  # in the logits, of which ∇ log q(a) = e_a − q and ∇c = q (ratio − c)
    for i in range(n):
        steps = list(zip(*(x[:, i].tolist() for x in _decisions(rollout)), strict=True))
        steps = [(t, s, a, k) for t, (s, a, k) in enumerate(steps) if s < N]
        for t, s, a, _ in steps:
            to_go = sum(float(REWARD[s2, a2, k2]) / ALPHA + c[u, s2] for u, s2, a2, k2 in steps if u >= t)
            slope[t, s] += (to_go - float(baseline[t, s])) * (np.eye(A)[a] - q[t, s]) / n
            slope[t, s] += q[t, s] * (ratio[t, s] - c[t, s]) / n
    close(-guide.policy.logits.grad, slope)


@equation(19, ppl_control.evaluate)
def check_optimism():
    for method in (ppl_control.MessagePassing(), ppl_control.SoftValueIteration()):
        solution = ppl_control.infer(MODEL, method)
        policy = solution.policy.log_table().exp().numpy()
        executed = sum(q * sum(path.rewards) for path, q in brute_force.under(PROBLEM, policy).items())
        believed = executed
        if method == ppl_control.MessagePassing():
            believed = sum(q * sum(path.rewards) for path, q in brute_force.posterior(PROBLEM).items())
            assert believed > executed + 0.1
        found = ppl_control.evaluate(solution, MODEL)
        close([found.believed_return, found.executed_return], [believed, executed])
        close(found.optimism, believed - executed)
