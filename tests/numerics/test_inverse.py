"""The objectives of exact inverse RL and their gradients against 50 digits: rewards of 1e±6, α from 1e-4 to 1e4."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from ppl_control.inverse import MaxEntIRL, TabularReward
from tests.inverse import plain
from tests.numerics.extremes import EPS, extreme, require_close
from tests.numerics.oracle import Oracle, mp
from tests.problems import Problem

STEP = mp.mpf(10) ** -20  # nats; central differences are then right to some 20 digits


def paying(problem: Problem, nats: Any) -> Problem:
    """The problem with r(s, a, s') = nats[s][a][s'] α, in 50 digits."""
    alpha = mp.mpf(problem.temperature)
    outcomes = [
        [[(p, k, nats[s][a][k] * alpha, done) for p, k, _, done in row] for a, row in enumerate(rows)]
        for s, rows in enumerate(problem.outcomes)
    ]
    return replace(problem, outcomes=outcomes)


def objective(kind: str, problem: Problem, walks: Any) -> Any:
    """The mean over the demonstrations, nats; no discount."""
    oracle = Oracle(problem)
    if kind == "trajectory":
        z, _ = oracle.posterior()
        value, q = [[mp.log(x) for x in row] for row in z], []
        log_z = oracle.evidence(z[0])
    else:
        value, q = oracle.variational()
        log_z = mp.mpf(0)
    total = mp.mpf(0)
    for walk in walks:
        last, ended = walk[-1][2], walk[-1][3]
        cut = mp.mpf(0) if ended or len(walk) == problem.horizon else value[len(walk)][last]
        paid = sum(_paid(problem, step) for step in walk) / oracle.temperature
        priors = sum(mp.log(oracle.prior[t][s][a]) for t, (s, a, _, _) in enumerate(walk))
        if kind == "conditional":
            total += priors + sum(q[t][s][a] - value[t][s] for t, (s, a, _, _) in enumerate(walk))
        elif kind == "dual":
            total += paid + cut - value[0][walk[0][0]]
        else:
            luck = sum(mp.log(_chance(problem, step)) for step in walk)
            total += mp.log(oracle.seats[walk[0][0]]) + priors + luck + paid + cut - log_z
    return total / len(walks)


def _paid(problem: Problem, step: Any) -> Any:
    s, a, following, _ = step
    return next(r for _, k, r, _ in problem.outcomes[s][a] if k == following)


def _chance(problem: Problem, step: Any) -> Any:
    """The probability of all outcomes that a step may have been."""
    s, a, following, ended = step
    row = problem.outcomes[s][a]
    found = [p for p, k, _, done in row if k == following and (done or not any(problem.outcomes[k])) == ended]
    return mp.fsum(map(mp.mpf, found)) / mp.fsum(mp.mpf(p) for p, *_ in row)


CASES = [
    pytest.param(scale, temperature, prior, id=f"{scale:g}-{temperature:g}-{prior}")
    for scale, temperature in [(1.0, 1.0), (1.0, 1e4), (1e6, 1e-4), (1e6, 1e4), (3e-3, 1e-4)]
    for prior in ("base", "timed")
]


@pytest.mark.parametrize("kind", ["conditional", "dual", "trajectory"])
@pytest.mark.parametrize(("scale", "temperature", "prior"), CASES)
def test_value_and_gradient(scale: float, temperature: float, prior: str, kind: str):
    """Both relative to the largest that may enter them: T r/α of the value, T of the gradient (in units of r/α)."""
    problem = extreme(7, scale=scale, temperature=temperature, horizon=6, prior=prior)
    walks = plain.demonstrations(problem, 5)
    reward = TabularReward(problem.num_states, problem.num_actions, "outcome")
    table = scale * np.random.default_rng(0).normal(size=reward.table.shape)
    reward.table.data = torch.as_tensor(table)
    value, slope = MaxEntIRL(reward, kind).value_and_gradient(problem.model(), walks)

    alpha = mp.mpf(temperature)
    nats = [[[mp.mpf(float(x)) / alpha for x in row] for row in rows] for rows in table]
    steep = max(float(abs(x)) for rows in nats for row in rows for x in row)
    exact = objective(kind, paying(problem, nats), walks)
    require_close(value, [exact], floor=64 * EPS * problem.horizon * (1 + steep))

    seen = {(s, a, k) for s, rows in enumerate(problem.outcomes) for a, row in enumerate(rows) for _, k, _, _ in row}
    slope = slope.view(table.shape) * temperature
    for s, a, k in np.ndindex(*table.shape):
        if (s, a, k) not in seen:
            assert slope[s, a, k] == 0
            continue
        ends = []
        for sign in (1, -1):
            nats[s][a][k] += sign * STEP
            ends.append(objective(kind, paying(problem, nats), walks))
            nats[s][a][k] -= sign * STEP
        exact = (ends[0] - ends[1]) / (2 * STEP)
        require_close(slope[s, a, k], [exact], rel=0, floor=problem.horizon * (1e-9 + 16 * EPS * steep))
