"""π0 over the actions of a continuous world: normalised, or the base measure with something to draw from."""

from __future__ import annotations

import math
from typing import Any

import torch
from gymnasium import spaces
from pyro.distributions import Categorical, Normal, Uniform
from torch import Tensor, nn
from torch.distributions import Distribution

from ppl_control.mdp.continuous import ActionSpace, in_pyro, is_bounded
from ppl_control.randomness import RandomStream
from ppl_control.settings import shown, tried

__all__ = ["ActionPrior", "describe_prior"]

PROBES = 8  # draws that tell distributions apart


class ActionPrior:
    """π0(a|s,t), and what a Pyro site draws from in its stead.

    Under the base measure (counting or Lebesgue) a site still needs a normalised distribution: the uniform
    one, or a standard normal where the actions are unbounded. ``correction`` takes its density out again, so
    that every sum of log-probabilities is that of the base measure.

    Args:
        prior: None (base measure), ``"uniform"``, a policy, or a distribution that does not see the state.
        space: the action space.
        dtype: floating-point type of the actions.
        state_ndim: dimensions of one state: 1 for a vector, 0 for an index.
        device: where states and actions are.

    Raises:
        ValueError: a uniform prior over unbounded actions, or a distribution of another shape or beyond the bounds.
    """

    def __init__(
        self,
        prior: Any,
        space: ActionSpace,
        dtype: torch.dtype,
        *,
        state_ndim: int = 1,
        device: torch.device | None = None,
    ) -> None:
        self.space, self.dtype, self.is_base = space, dtype, prior is None
        self._state_ndim, self._device = state_ndim, device
        self._policy = prior if isinstance(prior, nn.Module) else None
        if isinstance(prior, Distribution):
            self._fixed: Any = _checked(prior, space)
        elif prior is None or (isinstance(prior, str) and prior == "uniform"):
            if prior is not None and not is_bounded(space):
                raise ValueError(
                    f"action_prior: 'uniform' needs bounded actions, got {space}; bound them, or give a Gaussian "
                    "prior, e.g. torch.distributions.MultivariateNormal(zeros, covariance), or None (Lebesgue)"
                )
            self._fixed = self._standard()
        elif self._policy is None:
            raise ValueError(f"action_prior: expected None, 'uniform', a policy or a distribution, got {shown(prior)}")
        else:
            self._fixed = None

    def _batch(self, state: Tensor) -> torch.Size:
        return state.shape[: state.ndim - self._state_ndim]

    def _zeros(self, state: Tensor) -> Tensor:
        return torch.zeros(self._batch(state), dtype=self.dtype, device=state.device)

    def _standard(self) -> Any:
        if isinstance(self.space, spaces.Discrete):
            return Categorical(logits=torch.zeros(int(self.space.n), dtype=self.dtype, device=self._device))
        bounds = (self.space.low, self.space.high)
        low, high = (torch.as_tensor(bound, dtype=self.dtype, device=self._device) for bound in bounds)
        if is_bounded(self.space):
            above = torch.nextafter(high, torch.full_like(high, torch.inf))  # the upper bound itself is an action
            return Uniform(low, above, validate_args=False).to_event(1)  # −∞ outside, not an error
        return Normal(torch.zeros_like(low), torch.ones_like(low)).to_event(1)

    def check(self, state: Tensor) -> None:
        """Raise a ValueError where a policy as prior does not fit some states or the actions."""
        if self._policy is None:
            return
        with RandomStream(0), torch.no_grad():
            prior = tried("action_prior", lambda: self.site(state, 0), f"on states of shape {list(state.shape)}")
        if not isinstance(prior, Distribution):
            raise ValueError(f"action_prior: expected a policy that returns a distribution, got {shown(prior)}")
        wanted = () if isinstance(self.space, spaces.Discrete) else self.space.shape
        if tuple(prior.event_shape) != tuple(wanted):
            raise ValueError(
                f"action_prior: expected event shape {tuple(wanted)} for {self.space}, got {tuple(prior.event_shape)}"
            )
        _check_bounds(prior, self.space)

    def site(self, state: Tensor, t: Any) -> Any:
        """What the model's action site draws from; batch shape of the states [*b, n]."""
        if self._policy is not None:
            return in_pyro(self._policy(state, t), "action_prior")
        return self._fixed.expand(self._batch(state))

    def correction(self, state: Tensor, action: Tensor, t: Any) -> Tensor:
        """Log of what a site's factor gives back: −log of the density drawn from under the base measure, else 0."""
        if not self.is_base:
            return self._zeros(state)
        if isinstance(self.space, spaces.Discrete):
            return self._zeros(state) + math.log(int(self.space.n))
        if is_bounded(self.space):  # a constant also outside the box, where the site's own −∞ must stand
            volume = float(torch.as_tensor(self.space.high - self.space.low, dtype=self.dtype).log().sum())
            return self._zeros(state) + volume
        return -self.site(state, t).log_prob(action)

    def density(self, state: Tensor, t: Any) -> Any:
        """π0 as a distribution; None under the base measure."""
        return None if self.is_base else self.site(state, t)

    def log_prob(self, state: Tensor, action: Tensor, t: Any) -> Tensor:
        """Log π0(a|s,t), nats; under the base measure 0 inside the action space and −∞ outside."""
        if self.is_base and not is_bounded(self.space):
            return self._zeros(state)
        try:
            return self.site(state, t).log_prob(action) + self.correction(state, action, t)
        except ValueError as error:
            if "support" not in str(error):
                raise
            raise ValueError(
                "action_prior: an action lies outside its support; bound action_space to where the prior lives, or "
                f"give a policy or plan with such low= and high= ({str(error).splitlines()[0]})"
            ) from error


def _checked(prior: Any, space: ActionSpace) -> Any:
    wanted = () if isinstance(space, spaces.Discrete) else space.shape
    if tuple(prior.event_shape) != tuple(wanted) or prior.batch_shape:
        raise ValueError(
            f"action_prior: expected event shape {tuple(wanted)} and no batch for {space}, got "
            f"{tuple(prior.event_shape)} and {tuple(prior.batch_shape)}; see .to_event(1)"
        )
    _check_bounds(prior, space)
    return in_pyro(prior, "action_prior")


def _check_bounds(prior: Any, space: ActionSpace) -> None:
    if not isinstance(space, spaces.Box) or not is_bounded(space):
        return
    low, high = (torch.as_tensor(bound, dtype=torch.float64) for bound in (space.low, space.high))
    beyond = [edge.expand(*prior.batch_shape, *space.shape) for edge in (high + (high - low), low - (high - low))]
    if any(bool(prior.support.check(outside).all()) for outside in beyond):
        raise ValueError(
            f"action_prior: {type(prior).__name__} reaches beyond the bounds of {space}; use 'uniform', a bounded "
            "distribution or policy, or an action_space without bounds"
        )


def describe_prior(prior: Any) -> bytes:
    """Bytes that tell priors apart."""
    parts = [type(prior).__name__ if not isinstance(prior, str) else prior]
    if isinstance(prior, nn.Module):
        parts += [f"{name} {value.tolist()}" for name, value in prior.state_dict().items()]
    if isinstance(prior, Distribution):
        with RandomStream(0), torch.no_grad():  # draws and densities say all of it, correlations too
            drawn = prior.sample(torch.Size([PROBES]))
            parts += [repr(prior), str(drawn.tolist()), str(prior.log_prob(drawn).tolist())]
    return " ".join(parts).encode()
