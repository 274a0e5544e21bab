"""Equations 62 to 64: what a reward can be known by, and what it cannot."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pyro.poutine as poutine
import torch

from ppl_control import inverse
from ppl_control.inverse.bayesian.program import priors_of, reward_program
from ppl_control.inverse.demonstrations.counting import count
from ppl_control.inverse.exact.boundedness import excess
from ppl_control.inverse.exact.objectives import dual
from ppl_control.randomness import RandomStream
from tests.theory.checks.inverse import ALPHA, GAMMA, PROBLEM, WORLD, A, N, T, choices, collected, demonstrations, found
from tests.theory.checks.stationary import CLOSED
from tests.theory.registry import close, equation
from tests.theory.worlds import alive, outcomes, policies


@equation(62, excess)
def check_unboundedness():
    walks = demonstrations(whole=True)
    reward = np.mean([collected(walk, GAMMA) for walk in walks], 0) * 5  # pays what was done
    best = np.full(N, -np.inf)
    for policy in policies(PROBLEM):
        V = np.zeros((T + 1, N))
        for t, s in itertools.product(reversed(range(T)), alive(PROBLEM)):
            a = int(policy[t, s].argmax())
            V[t, s] = sum(p * (reward[s, a] + g * V[t + 1, k]) for p, k, _, g in outcomes(PROBLEM, s, a))
        best = np.maximum(best, V[0])
    expected = np.mean([(collected(walk, GAMMA) * reward).sum() - best[walk[0][0]] for walk in walks]) / ALPHA
    slope = excess(WORLD, count(WORLD, walks), torch.as_tensor(reward / ALPHA)[..., None])
    close(slope, expected)
    # V_ψ is above max E by no more than α T log A, and with a normalised prior not above it at all.
    for c in (1.0, 10.0, 100.0):
        assert found(dual, walks, c * reward)[0] >= c * slope - 1e-9


@equation(63, reward_program)
def check_bayesian():
    walks, reward = demonstrations(whole=False), inverse.TabularReward(N, A)
    priors = priors_of(reward, torch.distributions.Normal(0.0, 2.0))
    program = reward_program(reward, priors, "conditional", WORLD, count(WORLD, walks))
    with RandomStream(0):
        trace = poutine.trace(program).get_trace()
    psi = trace.nodes["table"]["value"].numpy()
    log_prior = (-0.5 * (psi / 2.0) ** 2 - math.log(2.0 * math.sqrt(2 * math.pi))).sum()
    close(float(trace.log_prob_sum()), log_prior + len(walks) * choices(walks, psi))


@equation(64, inverse.without_shaping)
def check_shaping():
    problem, n, a = CLOSED, CLOSED.num_states, CLOSED.num_actions
    model = problem.model().replaced(horizon=None)
    rng = np.random.default_rng(0)
    reward, potential = rng.normal(size=(n, a, n)), 10 * rng.normal(size=n)
    shaped = reward + problem.discount * potential - potential[:, None, None]

    def policy(table: np.ndarray) -> np.ndarray:
        """The soft-optimal one, by many sweeps."""
        V, Q = np.zeros(n), np.zeros((n, a))
        for _ in range(600):
            for s, x in itertools.product(range(n), range(a)):
                Q[s, x] = sum(p * (table[s, x, k] + g * V[k]) for p, k, _, g in outcomes(problem, s, x))
            V = problem.temperature * np.log((problem.prior[0] * np.exp(Q / problem.temperature)).sum(-1))
        return problem.prior[0] * np.exp((Q - V[:, None]) / problem.temperature)

    close(policy(shaped), policy(reward))
    plain, same = (inverse.without_shaping(model, table).numpy() for table in (reward, shaped))
    np.testing.assert_allclose(same, plain, atol=1e-9)
    assert abs(plain).max() > 0.1
    close(policy(np.repeat(plain[..., None], n, -1)), policy(reward))
