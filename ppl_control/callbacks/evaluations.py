"""Evaluation during training."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from ppl_control.evaluation.executed import policy_walk
from ppl_control.inference.base import Step
from ppl_control.randomness import RandomStream, check_seed
from ppl_control.settings import real, shown, truth, whole
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["Evaluations"]


class Evaluations:
    """Plays the policy now and then, and keeps the best one.

    Each time the same episodes are played (same seeds), apart from those of training.

    Args:
        model: where to play; usually the model that is fitted, or a perturbed one.
        every: steps of training between two evaluations.
        episodes: episodes played each time.
        seed: of the episodes.
        deterministic: play the policy's mode.
        stop_at: end the run once the mean undiscounted return reaches this; None: never.

    Attributes:
        history: one (step, mean undiscounted return, its standard error) an evaluation.
        best_policy: a copy of the policy with the best mean so far; None before the first evaluation.
        best_return: its mean; −∞ while every evaluation had an episode that did not end, whose return is NaN.

    Raises:
        ValueError: ``every`` below 1, fewer than 2 episodes, or at the call a method without a policy.

    Example:
        >>> from ppl_control import SimulatorMDP
        >>> evaluations = Evaluations(TrajectoryModel(SimulatorMDP("CartPole-v1")), every=5000)
        >>> evaluations.best_policy is None
        True
    """

    def __init__(
        self,
        model: TrajectoryModel,
        *,
        every: int,
        episodes: int = 10,
        seed: int = 0,
        deterministic: bool = True,
        stop_at: float | None = None,
    ) -> None:
        if not isinstance(model, TrajectoryModel):
            raise ValueError(f"model: expected a TrajectoryModel, got {shown(model)}")
        self.model, self.every, self.episodes = model, whole("every", every, 1), whole("episodes", episodes, 2)
        self.seed, self.deterministic = check_seed(seed), truth("deterministic", deterministic)
        self.stop_at = None if stop_at is None else real("stop_at", stop_at)
        self.history: list[tuple[int, float, float]] = []
        self.best_policy: nn.Module | None = None
        self.best_return = -math.inf
        self._next = self.every

    @torch.no_grad()
    def __call__(self, step: Step) -> bool:
        """Evaluate where it is time to; whether the goal is reached."""
        if step.number < self._next:
            return False
        self._next = (step.number // self.every + 1) * self.every
        policy = _policy_of(step.state)
        with RandomStream(self.seed):
            walk = policy_walk(policy, self.model, self.episodes, self.deterministic)
        mean, stderr = walk.undiscounted or (walk.value, walk.stderr)
        self.history.append((step.number, mean, stderr))
        score = -math.inf if math.isnan(mean) else mean
        if self.best_policy is None or score > self.best_return:
            self.best_return, self.best_policy = score, deepcopy(policy)
        return self.stop_at is not None and mean >= self.stop_at


def _policy_of(state: Any) -> nn.Module:
    policy = getattr(state, "policy", None)
    if policy is None:
        policy = getattr(getattr(state, "guide", None), "policy", None)
    if not isinstance(policy, nn.Module):
        raise ValueError(f"callbacks: Evaluations needs a method that learns a policy, got {type(state).__name__}")
    return policy
