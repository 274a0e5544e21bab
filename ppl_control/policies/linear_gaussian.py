"""Policies that are linear in the state, with Gaussian noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from pyro.distributions import MultivariateNormal
from torch import Tensor, nn

from ppl_control.mdp.normal_forms import mean_and_covariance
from ppl_control.mdp.validation import as_tensor
from ppl_control.policies.arguments import as_time, as_vectors
from ppl_control.policies.base import Policy, Time
from ppl_control.settings import floating_type, shown, size_of

__all__ = ["LinearGaussianPolicy", "LinearGaussianTables", "tabulate_linear_gaussian"]


class LinearGaussianPolicy(Policy):
    """u ~ N(k − K x, Σ), the same at all times or one a step; note the minus.

    Trainable: K, k where it is given, and the Cholesky factor of Σ with the logarithm of its diagonal.

    Args:
        gain: K, shape [m, n], or [T, m, n] for one a step.
        covariance: Σ, positive definite, shape [m, m] or [T, m, m]; one matrix serves all steps.
        offset: k, shape [m] or [T, m]; None: 0, not trained.

    Raises:
        ValueError: shapes that do not fit, NaN, or a covariance that is not positive definite; at the call, a
            missing or too late time for a time-dependent policy.

    Example:
        >>> policy = LinearGaussianPolicy(torch.tensor([[0.5]]), torch.tensor([[0.1]]))
        >>> policy(torch.tensor([2.0])).mean
        tensor([-1.], grad_fn=<...>)
    """

    state_ndim = 1

    def __init__(self, gain: Any, covariance: Any, offset: Any = None) -> None:
        super().__init__()
        gain = _floats("gain", gain)
        if gain.ndim not in (2, 3) or 0 in gain.shape:
            raise ValueError(f"gain: expected shape [m, n] or [T, m, n], got {tuple(gain.shape)}")
        times, actions = gain.shape[:-2], gain.shape[-2]
        lower = _cholesky(_expanded("covariance", covariance, gain, (*times, actions, actions)))
        diagonal = lower.diagonal(dim1=-2, dim2=-1)
        self.gain = nn.Parameter(gain.clone())
        self.log_cholesky = nn.Parameter(lower.tril(-1) + torch.diag_embed(diagonal.log()))
        shift = None if offset is None else _expanded("offset", offset, gain, (*times, actions))
        self.shift = None if shift is None else nn.Parameter(shift.clone())

    @classmethod
    def standard(
        cls,
        state_dim: int,
        action_dim: int,
        horizon: int | None = None,
        with_offset: bool = False,
        dtype: torch.dtype = torch.float64,
    ) -> LinearGaussianPolicy:
        """N(0, I), whatever the state.

        Args:
            state_dim: n, entries of a state.
            action_dim: m, entries of an action.
            horizon: T, for a policy that depends on time; None: stationary.
            with_offset: True: the mean has a part of its own to learn, beside the gain.
            dtype: of the parameters.
        """
        sizes = {"horizon": horizon, "action_dim": action_dim, "state_dim": state_dim}
        sizes = {name: size_of(name, size) for name, size in sizes.items() if size is not None or name != "horizon"}
        floating_type("dtype", dtype)
        *times, action_dim, state_dim = sizes.values()
        gain = torch.zeros(*times, action_dim, state_dim, dtype=dtype)
        return cls(gain, torch.eye(action_dim, dtype=dtype), gain[..., 0] if with_offset else None)

    @property
    def horizon(self) -> int | None:
        """Number of time steps; None for a stationary policy."""
        return self.gain.shape[0] if self.gain.ndim == 3 else None

    @property
    def scale_tril(self) -> Float[Tensor, "*T m m"]:
        """The Cholesky factor of Σ."""
        raw = self.log_cholesky
        return raw.tril(-1) + torch.diag_embed(raw.diagonal(dim1=-2, dim2=-1).exp())

    @property
    def covariance(self) -> Float[Tensor, "*T m m"]:
        """Σ."""
        lower = self.scale_tril
        return lower @ lower.mT

    @property
    def offset(self) -> Float[Tensor, "*T m"]:
        """k; zeros where it is not trained."""
        return torch.zeros_like(self.gain[..., 0]) if self.shift is None else self.shift

    @property
    def settings(self) -> dict[str, Tensor | None]:
        """What makes this policy again."""
        shift = None if self.shift is None else self.shift.detach().clone()
        return {"gain": self.gain.detach().clone(), "covariance": self.covariance.detach(), "offset": shift}

    def forward(self, state: Tensor, t: Time = None) -> MultivariateNormal:
        """π(· | state, t); states [*b, n], times that broadcast against *b."""
        state = as_vectors(state, self.gain.dtype, self.gain.device)
        if state.ndim < 1 or state.shape[-1] != self.gain.shape[-1]:
            raise ValueError(f"state: expected shape [*b, {self.gain.shape[-1]}], got {tuple(state.shape)}")
        gain, lower, shift = self.gain, self.scale_tril, self.shift
        if self.horizon is not None:
            t = as_time(t, self.horizon - 1, self.gain.device)
            gain, lower, shift = gain[t], lower[t], None if shift is None else shift[t]
        pull = state @ gain.mT if gain.ndim == 2 else (gain @ state.unsqueeze(-1)).squeeze(-1)
        mean = -pull if shift is None else shift - pull
        # Valid by construction; torch's checks would take four fifths of the time.
        return MultivariateNormal(mean, scale_tril=lower, validate_args=False)


@dataclass(frozen=True, eq=False)
class LinearGaussianTables:
    """u_t ~ N(k_t − K_t x, Σ_t) as arrays over time; Σ may be 0 where only returns are asked for.

    Attributes:
        gain: K, index order [t, action, state].
        offset: k.
        covariance: Σ.
    """

    gain: Float[Tensor, "T m n"]
    offset: Float[Tensor, "T m"]
    covariance: Float[Tensor, "T m m"]


def tabulate_linear_gaussian(policy: Any, state_dim: int, action_dim: int, horizon: int) -> LinearGaussianTables:
    """Any linear-Gaussian policy as arrays, with their graph.

    Args:
        policy: a ``LinearGaussianPolicy`` or tables; or a Gaussian distribution that is the same in all states.
        state_dim: n.
        action_dim: m.
        horizon: T.

    Raises:
        ValueError: another kind of policy, or another size.
    """
    if isinstance(policy, LinearGaussianPolicy | LinearGaussianTables):
        gain, offset, covariance = policy.gain, policy.offset, policy.covariance
    elif (found := mean_and_covariance(policy)) is not None:
        offset, covariance = found
        gain = offset.new_zeros(*offset.shape, state_dim)
    else:
        raise ValueError(
            f"policy: expected LinearGaussianPolicy or a Gaussian that ignores the state, got {type(policy).__name__}"
        )
    if gain.ndim == 2:
        gain, offset, covariance = (table.expand(horizon, *table.shape) for table in (gain, offset, covariance))
    if gain.shape != (horizon, action_dim, state_dim):
        raise ValueError(f"policy: expected gains [{horizon}, {action_dim}, {state_dim}], got {tuple(gain.shape)}")
    return LinearGaussianTables(gain, offset, covariance)


def _floats(name: str, value: Any) -> Tensor:
    table = as_tensor(name, value)
    if not bool(table.isfinite().all()):
        raise ValueError(f"{name}: expected finite numbers, got {shown(table.tolist())}")
    return table


def _expanded(name: str, value: Any, like: Tensor, shape: tuple[int, ...]) -> Tensor:
    table = _floats(name, value).to(like)
    core = shape[len(shape) - table.ndim :]
    if table.ndim not in (len(shape), len(shape) - (like.ndim - 2)) or table.shape != core:
        raise ValueError(f"{name}: expected shape {list(shape)}, got {list(table.shape)}")
    return table.expand(shape)


def _cholesky(covariance: Tensor) -> Tensor:
    lower, info = torch.linalg.cholesky_ex(covariance)
    skew = (covariance - covariance.mT).abs().amax()
    if bool(info.any()) or bool(skew > 1e-6 * covariance.abs().amax()):
        raise ValueError(f"covariance: expected symmetric and positive definite, got {shown(covariance.tolist())}")
    return lower
