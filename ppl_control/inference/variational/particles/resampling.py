"""Weights and systematic resampling of independent groups of particles, as pure functions."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["effective_size", "log_mean", "resample", "standard_error"]


def log_mean(log_weights: Float[Tensor, "*b n"]) -> Float[Tensor, "*b"]:
    """Log of the mean weight; the last axis is reduced."""
    return torch.logsumexp(log_weights, -1) - torch.tensor(float(log_weights.shape[-1])).to(log_weights).log()


def effective_size(log_weights: Float[Tensor, "*b n"]) -> Float[Tensor, "*b"]:
    """ESS = (Σ w)² / Σ w², between 1 and n; 0 where all weights are 0.

    References:
        Kong, Liu and Wong (1994).
    """
    top = log_weights.amax(-1, keepdim=True)
    weight = (log_weights - torch.where(top.isfinite(), top, 0.0)).exp()
    return torch.where(top[..., 0].isfinite(), weight.sum(-1) ** 2 / (weight**2).sum(-1), 0.0)


def resample(
    log_weights: Float[Tensor, "G n"], offsets: Float[Tensor, " G"], threshold: float
) -> tuple[Int[Tensor, "G n"], Float[Tensor, "G n"], Bool[Tensor, " G"]]:
    """Systematic resampling of the groups whose ESS is below ``threshold`` · n.

    Particle i of a group gets n wᵢ / Σ w copies on average, rounded up or down. The mean weight of a group
    stays, so that it goes on estimating Z without bias, also though the weights decide when to resample.

    Args:
        log_weights: nats; a group without any weight is left alone.
        offsets: uniform numbers in [0, 1), one a group.
        threshold: share of n.

    Returns:
        For each place the index of its ancestor in the group, the new log weights, and which groups were resampled.

    References:
        Carpenter, Clifford and Fearnhead (1999); Whiteley, Lee and Heine (2016) on adaptive resampling.
    """
    size = log_weights.shape[-1]
    ess = effective_size(log_weights)
    chosen = (ess < threshold * size) & (ess > 0)
    ancestors = torch.arange(size, device=log_weights.device).expand(log_weights.shape)
    if not bool(chosen.any()):
        return ancestors, log_weights, chosen
    poor = log_weights[chosen]
    cdf = torch.softmax(poor.double(), -1).cumsum(-1)
    cdf = cdf / cdf[:, -1:]
    places = (ancestors[chosen] + offsets[chosen, None].double()) / size
    drawn = torch.searchsorted(cdf, places, right=True).clamp(max=size - 1)
    even = log_mean(poor)[:, None].expand(poor.shape)
    return ancestors.index_put((chosen,), drawn), log_weights.index_put((chosen,), even), chosen


def standard_error(log_means: Float[Tensor, " G"]) -> float:
    """Standard error of log(mean of G independent estimates), nats, by the delta method; NaN for one group.

    Note:
        No estimate sees what none of its particles met: where the ESS has collapsed, the error is larger.
    """
    if len(log_means) < 2:
        return float("nan")
    share = (log_means - log_means.max()).exp()
    return float(share.std() / len(share) ** 0.5 / share.mean())
