"""The estimator of a guide that is one continuous trajectory."""

from __future__ import annotations

import math

from torch import Tensor

from ppl_control.guides.continuous_map import ContinuousMAPGuide
from ppl_control.inference.variational.estimators.base import AdamSettings, Answer

__all__ = ["TrajectoryGradient"]


class TrajectoryGradient:
    """Gradient ascent on log p(τ, O) over actions and noise; its metric is that log-density, not a bound."""

    name = "reparameterised"
    metric = "log_joint"

    def check(self, guide: ContinuousMAPGuide) -> None:
        """Any will do."""

    def adam(self, guide: ContinuousMAPGuide) -> AdamSettings:
        """Nothing is drawn."""
        return AdamSettings(0.05, (0.9, 0.99))

    def loss(self, guide: ContinuousMAPGuide, n: int, baseline: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Log p(τ, O), nats."""
        log_joint = guide.trajectory()[3]
        return log_joint.detach(), -log_joint, baseline

    def answer(self, guide: ContinuousMAPGuide, n: int) -> Answer:
        """A point mass among densities: its ELBO is −∞."""
        return Answer(-math.inf)
