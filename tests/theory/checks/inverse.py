"""Equations 56 to 61: three objectives of inverse reinforcement learning, and their gradients."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import torch

from ppl_control.inverse.demonstrations.counting import count
from ppl_control.inverse.exact.objectives import conditional, dual, trajectory
from ppl_control.inverse.world import make_world
from tests import brute_force
from tests.problems import Problem, random_problem
from tests.theory.registry import close, equation
from tests.theory.worlds import alive, outcomes, soft_values

PROBLEM = random_problem(0, discount=0.8, prior="timed", shared=False)
ALPHA, GAMMA, T, N, A = PROBLEM.temperature, PROBLEM.discount, PROBLEM.horizon, PROBLEM.num_states, PROBLEM.num_actions
WORLD = make_world(PROBLEM.model())
REWARD = np.random.default_rng(1).normal(size=(N, A))  # r_ψ is a table, ψ its entries
Step = tuple[int, int, int]


def rewarded(reward: np.ndarray, problem: Problem = PROBLEM) -> Problem:
    """The problem with this reward."""
    rows = [
        [[(p, k, reward[s, a], done) for p, k, _, done in problem.outcomes[s][a]] for a in range(A)]
        for s in range(problem.num_states)
    ]
    return Problem(**(problem.__dict__ | {"outcomes": rows}))


def demonstrations(whole: bool) -> list[list[Step]]:
    """Walks by chance; ``whole``: until they end, or all T decisions, else some are cut off."""
    rng, walks = np.random.default_rng(2), []
    while len(walks) < 8:
        s, walk, ended = int(rng.choice(N, p=PROBLEM.initial)), [], False
        for _ in range(T if whole or len(walks) % 2 else 2):
            if ended or s not in alive(PROBLEM):
                break
            a = int(rng.integers(A))
            row = PROBLEM.outcomes[s][a]
            _, following, _, ended = row[int(rng.choice(len(row), p=[o[0] for o in row]))]
            walk.append((s, a, following))
            s = following
        if walk:
            walks.append(walk)
    return walks


def is_cut(walk: list[Step]) -> bool:
    """Whether the walk might have gone on."""
    s, a, last = walk[-1]
    done = [d for _, k, _, d in PROBLEM.outcomes[s][a] if k == last]
    return len(walk) < T and last in alive(PROBLEM) and not all(done)


def found(objective: Callable, walks: list[list[Step]], reward: np.ndarray = REWARD) -> tuple[float, np.ndarray]:
    """The objective and its gradient by the library."""
    table = torch.tensor(reward, requires_grad=True)
    value = objective(WORLD, count(WORLD, walks), (table / ALPHA)[..., None])
    value.backward()
    return float(value.detach()), table.grad.numpy()


def collected(walk: list[Step], fade: float) -> np.ndarray:
    """∇ Σ γᵗ r of a walk: how often each (s, a), each counting γᵗ."""
    counts = np.zeros((N, A))
    for t, (s, a, _) in enumerate(walk):
        counts[s, a] += fade**t
    return counts


def prior_density(walk: list[Step]) -> float:
    """Log p(τ) of a whole walk; to go on after a step takes survival."""
    total = math.log(PROBLEM.initial[walk[0][0]])
    for t, (s, a, following) in enumerate(walk):
        last = t + 1 == len(walk)
        p = sum(p * (1.0 if last else g) for p, k, _, g in outcomes(PROBLEM, s, a) if k == following)
        total += math.log(PROBLEM.prior[t, s, a] * p)
    return total


@equation(56, trajectory)
def check_trajectory_objective():
    walks = demonstrations(whole=True)
    log_z = brute_force.log_evidence(rewarded(REWARD))
    expected = np.mean([prior_density(walk) + (collected(walk, 1.0) * REWARD).sum() / ALPHA for walk in walks]) - log_z
    close(found(trajectory, walks)[0], expected)


@equation(57, trajectory)
def check_trajectory_gradient():
    walks = demonstrations(whole=True)
    believed = np.zeros((N, A))  # under the posterior, by enumeration
    for path, weight in brute_force.posterior(rewarded(REWARD)).items():
        for s, a in zip(path.states, path.actions, strict=False):
            if a >= 0:
                believed[s, a] += weight
    expected = np.mean([collected(walk, 1.0) for walk in walks], 0) - believed
    close(ALPHA * found(trajectory, walks)[1], expected)


@equation(58, dual)
def check_dual_objective():
    walks = demonstrations(whole=False)
    V, _ = soft_values(rewarded(REWARD), False)
    assert any(is_cut(walk) for walk in walks)
    terms = []
    for walk in walks:
        total = (collected(walk, GAMMA) * REWARD).sum() - V[0, walk[0][0]]
        terms.append(total + (GAMMA ** len(walk) * V[len(walk), walk[-1][2]] if is_cut(walk) else 0.0))
    close(found(dual, walks)[0], np.mean(terms) / ALPHA)


def expected_visits(start: np.ndarray) -> np.ndarray:
    """E Σ γᵗ of each (s, a) under the soft-optimal policy in the true dynamics; γ is survival here."""
    V, Q = soft_values(rewarded(REWARD), False)
    visits, here = np.zeros((N, A)), start.copy()
    for t in range(T):
        after = np.zeros(N)
        for s, a in itertools.product(alive(PROBLEM), range(A)):
            mass = here[s] * PROBLEM.prior[t, s, a] * math.exp((Q[t, s, a] - V[t, s]) / ALPHA)
            visits[s, a] += mass
            for p, k, _, g in outcomes(PROBLEM, s, a):
                after[k] += mass * p * g
        here = after
    return visits


@equation(59, dual)
def check_dual_gradient():
    walks = demonstrations(whole=True)
    start = np.bincount([walk[0][0] for walk in walks], minlength=N) / len(walks)
    expected = np.mean([collected(walk, GAMMA) for walk in walks], 0) - expected_visits(start)
    close(ALPHA * found(dual, walks)[1], expected)


def choices(walks: list[list[Step]], reward: np.ndarray) -> float:
    """The mean of Σ log π_ψ."""
    V, Q = soft_values(rewarded(reward), False)
    terms = [
        sum(math.log(PROBLEM.prior[t, s, a]) + (Q[t, s, a] - V[t, s]) / ALPHA for t, (s, a, _) in enumerate(walk))
        for walk in walks
    ]
    return float(np.mean(terms))


@equation(60, conditional)
def check_conditional_objective():
    walks = demonstrations(whole=False)
    close(found(conditional, walks)[0], choices(walks, REWARD))


@equation(61, conditional)
def check_conditional_gradient():
    walks, h = demonstrations(whole=False), 1e-5
    slope = np.zeros((N, A))
    for place in np.ndindex(N, A):  # ∇Q and ∇V by central differences
        nudge = np.zeros((N, A))
        nudge[place] = h
        (V1, Q1), (V0, Q0) = (soft_values(rewarded(REWARD + sign * nudge), False) for sign in (1, -1))
        dQ, dV = (Q1 - Q0) / (2 * h), (V1 - V0) / (2 * h)
        slope[place] = np.mean([sum(dQ[t, s, a] - dV[t, s] for t, (s, a, _) in enumerate(walk)) for walk in walks])
    np.testing.assert_allclose(ALPHA * found(conditional, walks)[1], slope, atol=1e-8)
