"""The Gaussians that torch and Pyro have, seen as a mean and a covariance."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, MultivariateNormal, Normal

from ppl_control.mdp.gaussian import Gaussian

__all__ = ["mean_and_covariance"]


def mean_and_covariance(distribution: Any) -> tuple[Tensor, Tensor] | None:
    """Mean [*b, n] and covariance [*b, n, n] of a Gaussian vector; None for anything else."""
    if isinstance(distribution, Gaussian | MultivariateNormal):
        return distribution.mean, distribution.covariance_matrix
    if isinstance(distribution, Independent) and _is_normal(distribution.base_dist):
        return distribution.mean, torch.diag_embed(distribution.variance)
    return None


def _is_normal(distribution: Distribution) -> bool:
    return isinstance(distribution, Normal) or (
        isinstance(distribution, Independent) and _is_normal(distribution.base_dist)
    )
