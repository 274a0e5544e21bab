"""What an exact fit of a reward found, with its standard errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from ppl_control.inference.base import Solution
from ppl_control.inverse.demonstrations.counts import Counts
from ppl_control.inverse.exact.curvature import Curvature, curvature, operations
from ppl_control.inverse.rewards.base import Reward
from ppl_control.inverse.world import World
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["RewardFit"]

FLAT = 1e-12  # of the largest curvature: directions flatter than this the demonstrations say nothing about
NOTHING = 1e-20  # of what it is the difference of: a curvature below this is rounding
AFFORDABLE = 1e11  # multiplications that standard errors may take, some ten seconds


@dataclass(frozen=True, eq=False)
class RewardFit:
    """A reward learned from demonstrations.

    Attributes:
        method: the settings.
        reward: the reward learned, reward units.
        solution: in the model with that reward: soft-optimal, or the posterior for the trajectory objective.
        counts: the demonstrations as they were counted.
        objective_value: the objective's mean over the demonstrations, nats, without penalty.
        log_likelihood: Σ log π_ψ(a|s) over all demonstrations, nats; of the trajectory objective Σ log p(τ|O, ψ).
        converged: whether the ascent's gradient came within the tolerance. It also does where the best reward lies at
            infinity, as for demonstrators who always do the same: ``standard_errors`` are enormous there.
        gradient: largest entry of the objective's gradient where it ended, nats per unit of ψ.
        evaluations: of objective and gradient.
        history: quantity → one number a step.
        seconds: of the ascent.
        finished: False where Ctrl-C ended the ascent; ``MaxEntIRL(fit.reward)`` goes on from there.
        world: what standard errors are computed in.
    """

    method: Any
    reward: Reward
    solution: Solution
    counts: Counts
    objective_value: float
    log_likelihood: float
    converged: bool
    gradient: float
    evaluations: int
    history: Mapping[str, Sequence[float]]
    seconds: float
    world: World = field(repr=False)
    finished: bool = True

    @property
    def model(self) -> TrajectoryModel:
        """The model with the reward learned."""
        return self.solution.model

    @property
    def parameters(self) -> Float[Tensor, " P"]:
        """All numbers of ψ in one row, in the order of ``reward.parameter_names``."""
        return parameters_to_vector(self.reward.parameters()).detach()

    @cached_property
    def _curvature(self) -> Curvature | None:
        outcomes = self.reward.sees_next or self.method.objective == "trajectory"
        if not self.reward.is_linear or operations(self.world, len(self.parameters), outcomes) > AFFORDABLE:
            return None
        paid, slopes = self.world.pay(self.reward), self.world.features(self.reward)
        return curvature(self.method.objective, self.world, self.counts, paid, slopes)

    @cached_property
    def _information(self) -> tuple[Tensor, Tensor] | None:
        """Inverse of minus the Hessian, penalty in it, and the directions ψ that nothing is known about, [P] bool."""
        if self._curvature is None:
            return None
        penalty = self.method.l2 * self.counts.trajectories
        found = penalty * torch.eye(len(self.parameters)).to(self._curvature.hessian) - self._curvature.hessian
        return _inverse(found, self._curvature.size + penalty)

    @property
    def covariance(self) -> Float[Tensor, "P P"] | None:
        """Inverse of minus the Hessian (the penalty in it), in the order of ``reward.parameter_names``.

        None where the reward is not linear, or has so many parameters that it would take minutes. Numbers that the
        demonstrations say nothing about have infinite variance.
        """
        return None if self._information is None else _unknown(*self._information)

    @property
    def standard_errors(self) -> Float[Tensor, " P"] | None:
        """From the Hessian, in the order of ``reward.parameter_names``; None as for ``covariance``.

        Those of the dual leave out the luck in the demonstrations, which its feature counts do not: see
        ``robust_standard_errors``. Enormous ones say that no finite reward is best: the ascent ends on its way to
        infinity where the gradient has vanished.
        """
        return None if self.covariance is None else self.covariance.diagonal().sqrt()

    @property
    def score_standard_errors(self) -> Float[Tensor, " P"] | None:
        """From the outer product of scores (Berndt et al. 1974), of decisions for the conditional objective.

        None as for ``covariance``, or where trajectories are not known one by one.
        """
        if self._curvature is None or self._curvature.scores is None:
            return None
        return _unknown(*_inverse(self._curvature.scores, self._curvature.size)).diagonal().sqrt()

    @property
    def robust_standard_errors(self) -> Float[Tensor, " P"] | None:
        """Hessian⁻¹ · scores · Hessian⁻¹ (Huber 1967), which hold also where the model is wrong; None as above."""
        if self._information is None or self._curvature is None or self._curvature.scores is None:
            return None
        inverse, lost = self._information
        return _unknown(inverse @ self._curvature.scores @ inverse, lost).diagonal().sqrt()

    def summary(self) -> pd.DataFrame:
        """One row a parameter: estimate and standard errors."""
        columns = {
            "estimate": self.parameters,
            "standard_error": self.standard_errors,
            "score_standard_error": self.score_standard_errors,
            "robust_standard_error": self.robust_standard_errors,
        }
        return pd.DataFrame(
            {name: np.full(len(self.parameters), np.nan) if v is None else v.numpy() for name, v in columns.items()},
            index=pd.Index(self.reward.parameter_names, name="parameter"),
        )

    def _repr_html_(self) -> str:
        return self.summary().to_html(float_format="{:.4f}".format, border=0)

    def __repr__(self) -> str:
        return (
            f"RewardFit({self.method.objective}, log_likelihood={self.log_likelihood:.6g} nats, "
            f"converged={self.converged}{'' if self.finished else ', unfinished'})"
        )


def _inverse(
    information: Float[Tensor, "P P"], size: Float[Tensor, " P"]
) -> tuple[Float[Tensor, "P P"], Bool[Tensor, " P"]]:
    """The pseudo-inverse of a positive semidefinite matrix, and what has a part in its null space.

    ``size`` is what its diagonal is the difference of: what is within the rounding of that is nothing.
    """
    felt = information.diagonal() > NOTHING * size
    scale = torch.where(felt, information.diagonal(), 1.0).sqrt()
    kept = torch.where(felt[:, None] & felt, information, 0.0) / scale[:, None] / scale
    values, vectors = torch.linalg.eigh(kept)
    known = values > FLAT * values.max().clamp(min=torch.finfo(values.dtype).tiny)
    found = vectors[:, known] @ (vectors[:, known].T / values[known, None])
    lost = ~felt | (vectors[:, ~known].abs() > 1e-6).any(-1)
    return found / scale[:, None] / scale, lost


def _unknown(covariance: Float[Tensor, "P P"], lost: Bool[Tensor, " P"]) -> Float[Tensor, "P P"]:
    covariance = covariance.clone()
    covariance.diagonal()[lost] = torch.inf
    return covariance
