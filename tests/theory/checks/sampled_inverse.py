"""Equations 65 to 67: the reward unknown, by simulation."""

from __future__ import annotations

import math

import numpy as np
import torch

from ppl_control.inverse.sampled.objectives import Side, adversarial_loss, discriminator, dual_loss
from ppl_control.inverse.sampled.ratios import per_decision_ratios
from ppl_control.inverse.sampled.steps import Steps
from tests.theory.registry import close, equation

ALPHA, GAMMA = 0.6, 0.9
LENGTHS = (3, 1, 2)


def side(seed: int) -> tuple[Side, list[list[tuple[float, float]]]]:
    """Episodes as one side of the comparison; and as lists of (r or f, log π)."""
    rng = np.random.default_rng(seed)
    episodes = [[(float(rng.normal()), float(-rng.gamma(1.0))) for _ in range(length)] for length in LENGTHS]
    weights = [GAMMA**t / len(LENGTHS) for length in LENGTHS for t in range(length)]
    values, log_policies = zip(*(row for episode in episodes for row in episode), strict=True)
    return Side(*(torch.tensor(x, dtype=torch.float64) for x in (values, weights, log_policies))), episodes


def mean(episodes: list[list[tuple[float, float]]], term) -> float:
    """The mean over episodes of Σ γᵗ term."""
    sums = [sum(GAMMA**t * term(*row) for t, row in enumerate(episode)) for episode in episodes]
    return sum(sums) / len(sums)


@equation(65, dual_loss)
def check_sampled_dual():
    (shown, demonstrated), (made, played) = side(0), side(1)
    expected = -(mean(demonstrated, lambda r, _: r) - mean(played, lambda r, _: r)) / ALPHA
    close(dual_loss(shown, made, ALPHA), expected)


@equation(66, per_decision_ratios)
def check_ratios():
    rng = np.random.default_rng(0)
    rows = [(i, t) for i, length in enumerate(LENGTHS) for t in range(length)]
    now, then = (np.log(rng.uniform(0.1, 1.0, size=len(rows))) for _ in range(2))
    trajectory, time = torch.tensor(rows).T
    n = len(rows)
    steps = Steps(
        torch.zeros(n), torch.zeros(n), torch.zeros(n), time, trajectory, torch.zeros(n, dtype=torch.bool),
        torch.tensor(LENGTHS), torch.tensor(LENGTHS).double(),
    )  # fmt: skip
    for c in (1.0, 2.0, math.inf):
        found = per_decision_ratios(steps, torch.as_tensor(now), torch.as_tensor(then), c)
        for i, t in rows:
            until = [j for j, (k, u) in enumerate(rows) if k == i and u <= t]
            close(found[i, t], min(c, math.prod(math.exp(now[j]) / math.exp(then[j]) for j in until)))


@equation(67, discriminator, adversarial_loss)
def check_adversary():
    (shown, demonstrated), (made, played) = side(0), side(1)

    def D(f: float, log_pi: float) -> float:
        return math.exp(f / ALPHA) / (math.exp(f / ALPHA) + math.exp(log_pi))

    close(discriminator(shown.value, shown.log_policy, ALPHA), [D(*row) for episode in demonstrated for row in episode])
    expected = -mean(demonstrated, lambda *row: math.log(D(*row))) - mean(played, lambda *row: math.log(1 - D(*row)))
    close(adversarial_loss(shown, made, ALPHA), expected)
