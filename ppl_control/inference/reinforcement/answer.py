"""What a learned policy is worth: the ELBO of fresh episodes, never a critic's forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from ppl_control.guides.simulator import SimulatorGuide
from ppl_control.inference.base import Solution
from ppl_control.randomness import RandomStream
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["answer", "answer_seed"]


def answer(
    model: TrajectoryModel,
    method: Any,
    policy: nn.Module,
    *,
    temperature: float,
    history: Mapping[str, Sequence[float]],
    seed: int,
    episodes: int,
) -> Solution:
    """The solution that a policy stands for in a simulator.

    Args:
        model: a simulator.
        method: the method's settings.
        policy: what was learned; used as it is.
        temperature: the α that was reached, reward units per nat; the bound refers to it.
        history: quantity → numbers.
        seed: of the episodes.
        episodes: how many to estimate the bound from, at least 2.
    """
    guide = SimulatorGuide(
        model if temperature == model.temperature else model.replaced(temperature=temperature), policy
    )
    with RandomStream(seed):
        bounds = guide.episodes(episodes).bounds
    return Solution(
        model=model,
        method=method,
        policy=policy,
        guide=guide,
        log_evidence_bound=float(bounds.mean()),
        exact=False,
        temperature=temperature,
        log_evidence_bound_stderr=float(bounds.std() / len(bounds) ** 0.5),
        history={name: tuple(values) for name, values in history.items()},
    )


def answer_seed(seed: int) -> int:
    """The seed of the episodes that a run's answer is judged by, apart from those it learned from."""
    return int(np.random.SeedSequence([seed % 2**63, 1]).generate_state(1)[0])
