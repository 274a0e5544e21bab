"""Any Pyro autoguide as a plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyro
import pyro.poutine as poutine
import torch
from pyro.distributions import Delta, Normal, Uniform
from torch import Tensor, nn
from torch.distributions import Transform, TransformedDistribution

from ppl_control.policies.bounds import Bound
from ppl_control.randomness import RandomStream

__all__ = ["AutoPlan"]


class AutoPlan(nn.Module):
    """q(a_0 … a_{T−1}) made by a Pyro autoguide, e.g. ``pyro.infer.autoguide.AutoMultivariateNormal``.

    The autoguide is given one site ``plan`` of shape [T, m], bounded where the actions are. Its parameters
    stay its own; Pyro's global store never hears of them. Of one that is a point (``AutoDelta``, and
    ``AutoLaplaceApproximation``, which is one while it is fitted) the bound is −∞: a point has no density.

    Args:
        make: model → autoguide: its class, or a function of your own.
        horizon: T.
        action_dim: m.
        low: smallest action, a number or [m]; None: no bounds.
        high: largest action.
        seed: seed of what the autoguide draws to start with.
        dtype: floating-point type.

    Raises:
        ValueError: what was given makes no guide of the site ``plan``.
    """

    def __init__(
        self,
        make: Callable[[Callable[[], Any]], Any],
        horizon: int,
        action_dim: int,
        low: Bound = None,
        high: Bound = None,
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        self.horizon, self.action_dim = horizon, action_dim
        shape = (horizon, action_dim)
        if low is None or high is None:
            prior: Any = Normal(torch.zeros(shape, dtype=dtype), torch.ones(shape, dtype=dtype)).to_event(2)
        else:
            least, most = (torch.as_tensor(bound, dtype=dtype).expand(shape) for bound in (low, high))
            prior = Uniform(least, most).to_event(2)
        self._prior = prior
        with RandomStream(seed), pyro.settings.context(module_local_params=True):
            try:
                self.autoguide = make(self._site)
                trace = poutine.trace(self.autoguide).get_trace()
                if "plan" not in trace.nodes:
                    raise ValueError("it has no site 'plan'")
                _forget(self.autoguide)
            except (TypeError, NotImplementedError, RuntimeError, ValueError) as error:
                raise ValueError(f"plan: {make!r} makes no guide of the actions: {error}") from error

        drawn = [node["fn"] for node in trace.nodes.values() if node["type"] == "sample"]
        self.is_point = all(isinstance(_inner(site), Delta) for site in drawn)  # nothing is drawn: no density

    def _site(self) -> Tensor:
        return pyro.sample("plan", self._prior)

    def draw(self, n: int) -> tuple[Tensor, Tensor]:
        """N plans [n, T, m] with their gradients, and their log-densities [n], nats."""
        with pyro.settings.context(module_local_params=True), pyro.plate("plans", n):
            trace = poutine.trace(self.autoguide).get_trace()
        trace.compute_log_prob()
        drawn = [node for node in trace.nodes.values() if node["type"] == "sample" and node["name"] != "plans"]
        log_q = sum((node["log_prob"] for node in drawn), torch.zeros(n))
        _forget(self.autoguide)
        return trace.nodes["plan"]["value"].expand(n, self.horizon, self.action_dim), log_q


def _inner(site: Any) -> Any:
    while hasattr(site, "base_dist") and not isinstance(site, TransformedDistribution):
        site = site.base_dist
    return site


def _forget(autoguide: nn.Module) -> None:
    """Drop what transforms keep of their last draw: it hangs on the graph, and could not be copied."""
    for part in autoguide.modules():
        if isinstance(part, Transform):
            part._cached_x_y = None, None
        for name in ("_cached_log_scale", "_cached_logDetJ"):
            if hasattr(part, name):
                setattr(part, name, None)
