"""A Gaussian over whole sequences of continuous actions."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from pyro.distributions import MultivariateNormal, Normal
from torch import Tensor, nn
from torch.distributions import Distribution

from ppl_control.guides.plans.reshaped import as_sequence
from ppl_control.policies.bounds import Bound, Bounds
from ppl_control.randomness import RandomStream
from ppl_control.settings import floating_type, size_of, truth

__all__ = ["CorrelatedNormal", "GaussianPlan"]

JITTER = 0.1  # of the means at the start, in deviations: off points of symmetry, where a Gaussian may get stuck


class CorrelatedNormal(nn.Module):
    """x = μ + L z: a mean and a lower triangular factor, free parameters; starts at μ = ``loc``, L = ``scale`` I.

    Args:
        loc: μ at the start, shape [D].
        scale: standard deviation at the start.
        correlated: False: only the diagonal of L is free.
    """

    def __init__(self, loc: Tensor, *, scale: float, correlated: bool = True) -> None:
        super().__init__()
        self.loc = nn.Parameter(loc)
        self.log_diagonal = nn.Parameter(torch.full_like(loc, math.log(scale)))
        self.below = nn.Parameter(loc.new_zeros(len(loc), len(loc))) if correlated else None

    def scale_tril(self) -> Float[Tensor, "size size"]:
        """L, with a positive diagonal."""
        diagonal = self.log_diagonal.exp().diag()
        return diagonal if self.below is None else self.below.tril(-1) + diagonal


class GaussianPlan(nn.Module):
    """q(a_0 … a_{T−1}) = N(μ, L Lᵀ) over all T·m numbers; squashed into the box where there are bounds.

    Starts near N(0, I), or near the uniform distribution where there are bounds. Entropy in closed form without
    bounds only; ``mode`` is the mean, squashed (see ``ppl_control.policies.bounds.Squashed``).

    Args:
        horizon: T.
        action_dim: m.
        low: the smallest action, a number or shape [m]; None, with ``high``: no bounds.
        high: the largest action.
        correlated: one covariance over time and dimensions; False: every number independent.
        seed: seed of the means at the start.
        dtype: floating-point type.

    Raises:
        ValueError: a size below 1, or bounds that are not finite or in the wrong order.

    Example:
        >>> plan = GaussianPlan(5, 2, low=-1.0, high=1.0)
        >>> plan().sample((100,)).shape
        torch.Size([100, 5, 2])
    """

    def __init__(
        self,
        horizon: int,
        action_dim: int,
        low: Bound = None,
        high: Bound = None,
        correlated: bool = True,
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        floating_type("dtype", dtype)
        correlated = truth("correlated", correlated)
        self.horizon = size_of("horizon", horizon)
        self.action_dim = size_of("action_dim", action_dim)
        self.bounds = Bounds(low, high, self.action_dim, dtype)
        scale = self.bounds.start_scale
        with RandomStream(seed):
            loc = JITTER * scale * torch.randn(self.horizon * self.action_dim, dtype=dtype)
        self.normal = CorrelatedNormal(loc, scale=scale, correlated=correlated)
        self.settings = {
            "horizon": self.horizon,
            "action_dim": self.action_dim,
            **self.bounds.settings,
            "correlated": correlated,
            "dtype": dtype,
        }

    def forward(self) -> Distribution:
        """q, event shape [T, m]."""
        if self.normal.below is None:
            vector = Normal(self.normal.loc, self.normal.log_diagonal.exp()).to_event(1)
        else:
            vector = MultivariateNormal(self.normal.loc, scale_tril=self.normal.scale_tril())
        return self.bounds(as_sequence(vector, self.horizon, self.action_dim))
