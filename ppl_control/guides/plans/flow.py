"""A normalising flow over whole sequences of continuous actions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pyro.distributions import Normal
from pyro.distributions.transforms import LowerCholeskyAffine
from torch import nn
from torch.distributions import Distribution

from ppl_control.guides.plans.gaussian import CorrelatedNormal
from ppl_control.guides.plans.reshaped import as_sequence
from ppl_control.policies.bounds import Bound, Bounds
from ppl_control.policies.spline_flow import FlowDistribution, chained, composed, spline_layers
from ppl_control.settings import floating_type, layer_widths, size_of

__all__ = ["FlowPlan"]


class FlowPlan(nn.Module):
    """q(a_0 … a_{T−1}): a = μ + L f(z), z ~ N(0, I), f splines; squashed into the box where there are bounds.

    Each number's spline knows the noise before it; the triangular L spreads what the early ones decide over the whole
    sequence. Sampling, and scoring the sample, takes one evaluation of each network; scoring any other sequence takes
    T·m more, or two where the splines are couplings. With f the identity this is ``GaussianPlan``, and there it
    starts. No closed-form entropy, no mode.

    Note:
        Fitted by an ELBO, a flow that can hold several modes may still fall into one: autoregressive splines, a
        small learning rate and a temperature that comes down from above all help to keep them.

    Args:
        horizon: T.
        action_dim: m.
        low: the smallest action, a number or shape [m]; None, with ``high``: no bounds.
        high: the largest action.
        hidden: widths of the networks' hidden layers.
        transforms: number of splines in a row.
        bins: pieces of each spline.
        coupling: splines of one half given the other half's noise: quick to score, less able.
        seed: seed of the initial weights.
        dtype: floating-point type.

    Raises:
        ValueError: a size below 1, or bounds that are not finite or in the wrong order.

    References:
        Durkan et al. (2019, arXiv 1906.04032).

    Example:
        >>> plan = FlowPlan(5, 2, low=-1.0, high=1.0)
        >>> plan().sample((100,)).shape
        torch.Size([100, 5, 2])
    """

    def __init__(
        self,
        horizon: int,
        action_dim: int,
        low: Bound = None,
        high: Bound = None,
        hidden: Sequence[int] = (64, 64),
        transforms: int = 2,
        bins: int = 8,
        coupling: bool = False,
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        floating_type("dtype", dtype)
        sizes = {"horizon": horizon, "action_dim": action_dim, "transforms": transforms, "bins": bins}
        sizes = {name: size_of(name, size) for name, size in sizes.items()}
        widths = list(layer_widths("hidden", hidden))
        self.horizon, self.action_dim = sizes["horizon"], sizes["action_dim"]
        size = self.horizon * self.action_dim
        self.bounds = Bounds(low, high, self.action_dim, dtype)
        self.normal = CorrelatedNormal(torch.zeros(size, dtype=dtype), scale=self.bounds.start_scale)
        splines = spline_layers(
            size,
            transforms=sizes["transforms"],
            passes=2 if coupling else None,
            bins=sizes["bins"],
            hidden=widths,
            seed=seed,
        )
        self.transform = chained(splines, dtype)
        self.settings = {**sizes, **self.bounds.settings, "hidden": widths, "coupling": coupling, "dtype": dtype}

    def forward(self) -> Distribution:
        """q, event shape [T, m]."""
        loc = self.normal.loc
        noise = Normal(torch.zeros_like(loc), torch.ones_like(loc)).to_event(1)
        # Without a cache of its own: it would hand back draws without their graph, and the score of μ and L be wrong.
        spread = LowerCholeskyAffine(loc, self.normal.scale_tril())
        vector = FlowDistribution(composed(self.transform(None), spread), noise)
        return self.bounds(as_sequence(vector, self.horizon, self.action_dim))
