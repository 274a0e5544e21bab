"""What SVI needs to know about one kind of guide: its ELBO, a gradient, and a way to report the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

__all__ = ["AdamSettings", "Answer", "Estimator", "NaturalEstimator"]


@dataclass(frozen=True)
class AdamSettings:
    """Defaults of Adam for a kind of guide."""

    rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8


@dataclass(frozen=True, eq=False)
class Answer:
    """What a fitted guide is reported with: ELBO and its standard error, nats; values in nats where tabular."""

    bound: float
    stderr: float = 0.0
    value: Tensor | None = None
    action_value: Tensor | None = None


class Estimator(Protocol):
    """The ELBO of one kind of bound guide and its gradient, exact or sampled."""

    name: str

    def check(self, guide: Any) -> None:
        """Raise a ValueError where this estimator cannot serve the guide on its model."""

    def adam(self, guide: Any) -> AdamSettings:
        """Settings of the optimiser."""
        ...

    def loss(self, guide: Any, n: int, baseline: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """ELBO (of each of n trajectories where sampled), nats; minus the ELBO as a loss; the new baseline."""
        ...

    def answer(self, guide: Any, n: int) -> Answer:
        """The fitted guide's ELBO, from at least n fresh trajectories where it cannot be computed."""
        ...


@runtime_checkable
class NaturalEstimator(Protocol):
    """An estimator that also knows a step of coordinate ascent or along the natural gradient."""

    def has_natural(self, guide: Any) -> bool:
        """Whether it does for this guide."""
        ...

    def natural_step(self, guide: Any, rate: float) -> tuple[Tensor, float]:
        """Move the guide; ELBO before, nats, and the residual before, 0 at the optimum."""
        ...
