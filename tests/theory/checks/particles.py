"""Equations 52 to 55: particles."""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch

import ppl_control
from ppl_control.inference.variational.particles.candidates import Chosen
from ppl_control.inference.variational.particles.resampling import effective_size, log_mean
from ppl_control.inference.variational.particles.tabular import TabularPosterior
from ppl_control.policies import TabularPolicy
from ppl_control.randomness import RandomStream
from tests import brute_force
from tests.theory.checks.bound import ALPHA, MODEL, REWARD, SUCCESSOR, TABLES, A, N, P, T, log_p, walks
from tests.theory.registry import close, equation
from tests.theory.worlds import PROBLEM, alive, random_tables, soft_values

PROPOSAL = random_tables(T, N, A, seed=8)


def lookahead() -> torch.Tensor:
    """Any V [t, s], nats, 0 at the horizon and in terminal states."""
    value = torch.randn(T + 1, N, generator=torch.Generator().manual_seed(6)).double()
    value[-1] = 0.0
    return value.masked_fill(TABLES.terminal, 0.0)


def gains(walk: TabularPosterior, n: int = 3000) -> dict[tuple[int, int, int, float, int], float]:
    """What the code adds to log w for each (t, s, a, r, s') it draws."""
    found = {}
    with RandomStream(0):
        for t, s in itertools.product(range(T), alive(PROBLEM)):
            here = torch.full((n,), s)
            move = walk.advance(t, here, torch.ones(n, dtype=torch.bool))
            columns = (move.action, move.reward, move.state, move.gain)
            for a, r, following, gain in zip(*(column.tolist() for column in columns), strict=True):
                found[t, s, a, r, following] = gain
    return found


@equation(52, TabularPosterior.advance)
def check_increment():
    V = lookahead()
    ahead = torch.cat([V, torch.zeros(T + 1, 1).double()], -1)
    for proposal in (PROPOSAL, None):
        found, checked = gains(TabularPosterior(TABLES, V, proposal)), 0
        for t, s in itertools.product(range(T), alive(PROBLEM)):
            target = torch.as_tensor(PROBLEM.prior[t, s])[:, None] * P[s] * (REWARD[s] / ALPHA).exp()
            target = target * ahead[t + 1, SUCCESSOR[s]].exp()
            # Without a proposal action and outcome are drawn as well as the lookahead allows.
            q = target / target.sum() if proposal is None else proposal[t, s].exp()[:, None] * P[s]
            for a, k in itertools.product(range(A), range(P.shape[-1])):
                place = (t, s, a, float(REWARD[s, a, k]), int(SUCCESSOR[s, a, k]))
                if place in found and P[s, a, k] > 0:
                    close(found[place], math.log(target[a, k] / q[a, k]) - float(V[t, s]))
                    checked += 1
        assert checked == len(found) > T * len(alive(PROBLEM))


@equation(53, log_mean, ppl_control.ParticlePlanning.step)
def check_evidence_estimate():
    log_w = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)
    close(log_mean(log_w), math.log(sum(math.exp(w) for w in (0.3, -1.0, 2.0)) / 3))
    # E w = Z: over every trajectory, the probability to draw it times its weight.
    V = lookahead()
    twisted = [float(p) * math.exp(V[0, s] if s < N else 0.0) for s, p in enumerate(TABLES.initial)]
    start = math.log(sum(twisted))  # first states are drawn by p(s₀) exp V₀
    found, total = gains(TabularPosterior(TABLES, V, PROPOSAL)), 0.0
    for walk in walks():
        log_q, log_weight = math.log(twisted[walk.first]) - start, start
        for t, s, a, k in walk.steps:
            log_q += float(PROPOSAL[t, s, a]) + math.log(P[s, a, k])
            log_weight += found[t, s, a, float(REWARD[s, a, k]), int(SUCCESSOR[s, a, k])]
        close(log_q + log_weight, log_p(walk))
        total += math.exp(log_q + log_weight)
    close(math.log(total), brute_force.log_evidence(PROBLEM))
    # The posterior's own lookahead leaves no chance: every weight is Z.
    exact = ppl_control.infer(MODEL, ppl_control.ParticlePlanning(16, lookahead="posterior"), progress=False)
    close(exact.log_evidence_bound, brute_force.log_evidence(PROBLEM))
    # And a bad one is right on average: within four standard errors of the mean of many runs.
    method = ppl_control.ParticlePlanning(64, proposal=TabularPolicy(PROPOSAL), resample_threshold=1.0)
    runs = [ppl_control.infer(MODEL, method, seed=seed, progress=False).log_evidence_bound for seed in range(60)]
    ratios = np.exp(np.array(runs) - brute_force.log_evidence(PROBLEM))
    assert abs(ratios.mean() - 1) < 4 * ratios.std() / math.sqrt(len(runs))


@equation(54, effective_size)
def check_effective_size():
    w = np.random.default_rng(0).gamma(1.0, size=(3, 8))
    close(effective_size(torch.as_tensor(np.log(w))), [sum(row) ** 2 / sum(x**2 for x in row) for row in w])


@equation(55, Chosen)
def check_choice():
    _, Q = soft_values(PROBLEM, False)
    t, s, draws = 0, alive(PROBLEM)[0], 20_000
    prior, q = PROBLEM.prior[t, s], PROPOSAL[t, s].exp().numpy()
    proposed = [0, 1, 1, 0, 1]  # some actions more than once
    v = np.array([prior[a] * math.exp(Q[t, s, a] / ALPHA) / q[a] for a in proposed])
    chance = v / v.sum()
    log_target = torch.tensor([math.log(prior[a]) + Q[t, s, a] / ALPHA for a in proposed], dtype=torch.float64)
    log_v = log_target - PROPOSAL[t, s][proposed]
    # Places instead of actions, so that one can tell who was chosen.
    chosen = Chosen(torch.arange(5.0)[:, None, None], log_v[:, None], log_target[:, None])
    with RandomStream(0):
        share = np.bincount(chosen.sample((draws,)).flatten().long().numpy(), minlength=5) / draws
    assert (abs(share - chance) < 4 * np.sqrt(chance * (1 - chance) / draws)).all()
    # All of finitely many actions, proposed evenly: the soft-optimal policy.
    even = prior * np.exp(Q[t, s] / ALPHA) / 0.5
    V, _ = soft_values(PROBLEM, False)
    close(even / even.sum(), prior * np.exp((Q[t, s] - V[t, s]) / ALPHA))
