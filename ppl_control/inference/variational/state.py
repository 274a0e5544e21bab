"""The state of a variational fit between two steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ppl_control.guides.bound import BoundGuide
from ppl_control.inference.alike import require_optimizer
from ppl_control.inference.variational.estimators import Estimator
from ppl_control.randomness import RandomStream

__all__ = ["SVIState"]


@dataclass(eq=False)
class SVIState:
    """Everything a step reads and writes; ``state_dict`` holds tensors and numbers only.

    Attributes:
        guide: the bound guide with its parameters.
        estimator: of the ELBO and its gradient.
        optimizer: its optimiser; None for the natural gradient.
        stream: the run's own random stream.
        baseline: learned soft value [t, s], nats, for the score estimator on tabular models.
        number: steps made.
        converged: the fit has reached its optimum.
        history: quantity → one number a step.
    """

    guide: BoundGuide
    estimator: Estimator
    optimizer: torch.optim.Optimizer | None
    stream: RandomStream
    baseline: Tensor | None = None
    number: int = 0
    converged: bool = False
    history: dict[str, list[float]] = field(default_factory=dict)

    def state_dict(self) -> dict[str, Any]:
        """The state as plain tensors, numbers and lists."""
        return {
            "guide": self.guide.state_dict(),
            "optimizer": None if self.optimizer is None else self.optimizer.state_dict(),
            "stream": self.stream.states,
            "baseline": self.baseline,
            "number": self.number,
            "converged": self.converged,
            "history": self.history,
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over a stored state.

        Raises:
            ValueError: an optimiser's state or a baseline that is none of this run.
            RuntimeError: parameters of another shape.
        """
        self.guide.load_state_dict(saved["guide"])
        if self.optimizer is not None:
            require_optimizer(saved["optimizer"], self.optimizer)
            self.optimizer.load_state_dict(saved["optimizer"])
        self.stream.states = saved["stream"]
        self.baseline, self.number = self._baseline(saved["baseline"]), saved["number"]
        self.converged, self.history = saved["converged"], saved["history"]

    def _baseline(self, saved: Tensor | None) -> Tensor | None:
        """Values of tables; there are none before the first step, nor in other models."""
        if saved is None:
            return None
        tables = self.guide.model.tables
        if saved.shape != tables.log_prior.shape[:-1] or saved.dtype != tables.initial.dtype:
            raise ValueError(f"baseline: expected shape {list(tables.log_prior.shape[:-1])}, got {list(saved.shape)}")
        return saved.to(tables.initial.device)
