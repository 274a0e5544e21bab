"""A normalising flow over actions, given the state."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pyro.distributions import Normal
from torch import Tensor
from torch.distributions import Distribution

from ppl_control.policies.base import Policy, Time
from ppl_control.policies.bounds import Bound, Bounds
from ppl_control.policies.network import StateInputs
from ppl_control.policies.spline_flow import FlowDistribution, affine_layer, chained, spline_layers
from ppl_control.settings import layer_widths, size_of

__all__ = ["FlowPolicy"]


class FlowPolicy(Policy):
    """a = f(z; s, t / T), z ~ N(0, I): splines, then shift and scale, both autoregressive; optionally squashed.

    ``log_prob`` and ``rsample`` are exact. Sampling, and scoring the sample, takes one pass through the networks;
    scoring any other action m more. Starts at N(0, I), or near the uniform distribution where there are bounds.
    A flow has no closed-form entropy and names no mode.

    Args:
        num_features: n, the length of the state vector [..., n]; 0 where the state is a single number [...].
        action_dim: m.
        low: the smallest action, a number or shape [m]; None, with ``high``: no bounds.
        high: the largest action.
        horizon: T, makes the policy depend on time; None: stationary.
        hidden: widths of the hidden layers.
        transforms: number of splines in a row.
        bins: pieces of each spline.
        seed: seed of the initial weights.
        dtype: floating-point type.

    Raises:
        ValueError: a size below 1, or bounds that are not finite or in the wrong order; at the call, a missing
            time where there is a horizon.

    References:
        Durkan et al. (2019, arXiv 1906.04032); Kingma et al. (2016, arXiv 1606.04934).
    """

    def __init__(
        self,
        *,
        num_features: int,
        action_dim: int,
        low: Bound = None,
        high: Bound = None,
        horizon: int | None = None,
        hidden: Sequence[int] = (64, 64),
        transforms: int = 2,
        bins: int = 8,
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        sizes = {"action_dim": action_dim, "transforms": transforms, "bins": bins}
        sizes = {name: size_of(name, size) for name, size in sizes.items()}
        widths = list(layer_widths("hidden", hidden))
        self.inputs = StateInputs(num_features=num_features, horizon=horizon, dtype=dtype)
        self.bounds = Bounds(low, high, sizes["action_dim"], dtype)
        size, context = sizes["action_dim"], self.inputs.width
        # The splines know [−5, 5] only, where the noise is; shift and scale come after them.
        affine = affine_layer(size, context, hidden=widths, seed=seed)
        splines = spline_layers(
            size, context, transforms=sizes["transforms"], bins=sizes["bins"], hidden=widths, seed=seed + 1
        )
        self.transform = chained([*splines, affine], dtype)
        self.settings = {
            "num_features": self.inputs.num_features,
            **sizes,
            **self.bounds.settings,
            "horizon": self.inputs.horizon,
            "hidden": widths,
            "dtype": dtype,
        }
        self.horizon, self.state_ndim, self.action_dim = self.inputs.horizon, self.inputs.state_ndim, size

    def forward(self, state: Tensor, t: Time = None) -> Distribution:
        """π(· | state, t), event shape [m]."""
        inputs = self.inputs(state, t)
        centre = inputs.new_zeros(*inputs.shape[:-1], self.action_dim)
        noise = Normal(centre, self.bounds.start_scale).to_event(1)
        return self.bounds(FlowDistribution(self.transform(inputs), noise))
