"""The three objectives written out in plain loops over outcome lists, and demonstrations to try them on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.problems import Problem

Step = tuple[int, int, int, bool]


def demonstrations(problem: Problem, n: int, seed: int = 0) -> list[list[Step]]:
    """Random walks of random lengths, (s, a, s', ended); nobody dies of the discount."""
    rng = np.random.default_rng(seed)
    walks: list[list[Step]] = []
    while len(walks) < n:
        state, walk, length = (
            int(rng.choice(len(problem.initial), p=problem.initial)),
            [],
            rng.integers(1, problem.horizon + 1),
        )
        for t in range(length):
            if not problem.outcomes[state][0]:
                break
            prior = problem.prior[t, state]
            action = int(rng.choice(len(prior), p=prior / prior.sum()))
            row = problem.outcomes[state][action]
            _, following, _, done = row[int(rng.choice(len(row), p=[o[0] for o in row]))]
            ended = done or not problem.outcomes[following][0]
            walk.append((state, action, following, ended))
            if ended:
                break
            state = following
        if walk:
            walks.append(walk)
    return walks


def values(problem: Problem, reward: np.ndarray, optimistic: bool) -> tuple[np.ndarray, np.ndarray]:
    """V [t, s] and Q [t, s, a], nats, for a reward table [S, A, S] in reward units."""
    alpha, gamma, horizon = problem.temperature, problem.discount, problem.horizon
    V = np.zeros((horizon + 1, problem.num_states))
    Q = np.zeros((horizon, problem.num_states, problem.num_actions))
    for t in range(horizon - 1, -1, -1):
        for s in range(problem.num_states):
            if not problem.outcomes[s][0]:
                continue
            for a in range(problem.num_actions):
                terms = []
                for p, s2, _, done in problem.outcomes[s][a]:
                    r = reward[s, a, s2] / alpha
                    if optimistic:
                        terms.append(p * math.exp(r) * (1.0 if done else (1 - gamma) + gamma * math.exp(V[t + 1, s2])))
                    else:
                        terms.append(p * (r + (0.0 if done else gamma * V[t + 1, s2])))
                Q[t, s, a] = math.log(sum(terms)) if optimistic else sum(terms)
            V[t, s] = math.log(sum(problem.prior[t, s, a] * math.exp(Q[t, s, a]) for a in range(problem.num_actions)))
    return V, Q


def objective(kind: str, problem: Problem, reward: np.ndarray, walks: list[list[Step]]) -> float:
    """The mean over the demonstrations, nats."""
    V, Q = values(problem, reward, optimistic=kind == "trajectory")
    alpha, gamma, horizon = problem.temperature, problem.discount, problem.horizon
    total = 0.0
    for walk in walks:
        last, ended = walk[-1][2], walk[-1][3]
        cut = 0.0 if ended or len(walk) == horizon else V[len(walk), last]
        if kind == "conditional":
            total += sum(math.log(problem.prior[t, s, a]) + Q[t, s, a] - V[t, s] for t, (s, a, _, _) in enumerate(walk))
        elif kind == "dual":
            total += sum(gamma**t * reward[s, a, s2] / alpha for t, (s, a, s2, _) in enumerate(walk))
            total += gamma ** len(walk) * cut - V[0, walk[0][0]]
        else:
            log_z = math.log(sum(p * math.exp(v) for p, v in zip(problem.initial, V[0], strict=True)))
            total += math.log(problem.initial[walk[0][0]]) + cut - log_z
            for t, (s, a, s2, over) in enumerate(walk):
                p = sum(o[0] for o in problem.outcomes[s][a] if o[1] == s2 and _ends(problem, o) == over)
                alive = 1.0 if over or t + 1 == horizon else gamma
                total += math.log(problem.prior[t, s, a]) + math.log(p * alive) + reward[s, a, s2] / alpha
    return total / len(walks)


def slope(function: Any, place: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Central differences."""
    found = np.zeros(place.shape)
    for i in np.ndindex(place.shape):
        far = [place.copy(), place.copy()]
        far[0][i] += step
        far[1][i] -= step
        found[i] = (function(far[0]) - function(far[1])) / (2 * step)
    return found


def _ends(problem: Problem, outcome: tuple[float, int, float, bool]) -> bool:
    return outcome[3] or not problem.outcomes[outcome[1]][0]
