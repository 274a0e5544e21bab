"""The surrogate whose gradient is that of the maximum-entropy objective, clipped where the policy has moved far."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["clipped_surrogate"]


def clipped_surrogate(
    log_ratio: Float[Tensor, " n"], advantage: Float[Tensor, " n"], clip: float
) -> Float[Tensor, " n"]:
    """min(ρ A, clip(ρ, 1 − ε, 1 + ε) A) with ρ = π(a|s) / π_played(a|s): what to maximise, in the units of A.

    At ρ = 1 its gradient is A ∇log π, the plain policy gradient. An action whose probability has moved by more
    than the share ε in the direction that A asks for is left alone: the trust region.

    Args:
        log_ratio: log ρ, nats, with the policy's gradient.
        advantage: A of the actions taken.
        clip: ε > 0.

    References:
        Schulman et al. (2017), arXiv 1707.06347, eq. 7.

    Example:
        >>> clipped_surrogate(torch.tensor([2.0, 2.0]).log(), torch.tensor([1.0, -1.0]), clip=0.2)
        tensor([ 1.2000, -2.0000])
    """
    ratio = log_ratio.exp()
    return torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)
