"""Linear dynamics, Gaussian noise, quadratic reward."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from jaxtyping import Bool, Float
from pyro.distributions import Delta
from torch import Tensor
from torch.distributions import Distribution

from ppl_control.mdp.gaussian import Gaussian
from ppl_control.mdp.matrices import matrix, semidefinite, symmetric, vector
from ppl_control.mdp.normal_forms import mean_and_covariance
from ppl_control.settings import floating_type

__all__ = ["LinearGaussianMDP"]


class LinearGaussianMDP:
    """x' = A x + B u + w, w ~ N(0, W), r = −(xᵀQx + uᵀRu); at the horizon −xᵀQ_f x is paid once.

    Numbers, lists, arrays or tensors; a number means a 1 × 1 matrix.

    Args:
        A: shape [n, n].
        B: shape [n, m].
        noise_covariance: W, positive semi-definite, shape [n, n].
        state_cost: Q, symmetric, possibly indefinite, shape [n, n]; reward units.
        action_cost: R, positive semi-definite, shape [m, m]; reward units. Where it is singular, an exact solution
            needs an action prior or a costly consequence of every action.
        initial_mean: shape [n].
        initial_covariance: positive semi-definite, shape [n, n]; None: 0, one first state.
        final_state_cost: Q_f, as Q; None: 0.
        dtype: floating-point type of states and actions.

    Raises:
        ValueError: wrong shapes, NaN, costs that are not symmetric, or negative eigenvalues where none may be.

    Example:
        >>> walk = LinearGaussianMDP(1.0, 1.0, 0.3, 1.0, 0.5, initial_mean=2.0, final_state_cost=1.0)
        >>> walk.reward(torch.tensor([2.0]), torch.tensor([-1.0]), torch.tensor([1.0]))
        tensor(-4.5000, dtype=torch.float64)
    """

    A: Tensor
    B: Tensor
    noise_covariance: Tensor
    state_cost: Tensor
    action_cost: Tensor
    final_state_cost: Tensor
    initial_mean: Tensor
    initial_covariance: Tensor
    action_space: spaces.Box

    def __init__(
        self,
        A: Any,
        B: Any,
        noise_covariance: Any,
        state_cost: Any,
        action_cost: Any,
        *,
        initial_mean: Any,
        initial_covariance: Any = None,
        final_state_cost: Any = None,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        floating_type("dtype", dtype)
        n = matrix("A", A).shape[0]
        dynamics = matrix("A", A, (n, n))
        push = matrix("B", B, (n, None))
        m = push.shape[1]
        final = np.zeros((n, n)) if final_state_cost is None else final_state_cost
        start = np.zeros((n, n)) if initial_covariance is None else initial_covariance
        instead = "; the reward is −uᵀRu: costs are positive. Where acting is rewarded use DifferentiableMDP"
        tables = {
            "A": dynamics,
            "B": push,
            "noise_covariance": semidefinite("noise_covariance", noise_covariance, n),
            "state_cost": symmetric("state_cost", state_cost, n),
            "action_cost": semidefinite("action_cost", action_cost, m, instead),
            "final_state_cost": symmetric("final_state_cost", final, n),
            "initial_mean": vector("initial_mean", initial_mean, n),
            "initial_covariance": semidefinite("initial_covariance", start, n),
        }
        self.action_space = spaces.Box(-math.inf, math.inf, (m,), np.float64)
        self._assemble({name: torch.as_tensor(table, dtype=dtype) for name, table in tables.items()})

    def _assemble(self, tables: dict[str, Tensor]) -> None:
        self._tables = tables
        self.__dict__.update(tables)
        self._initial = Gaussian(self.initial_mean, self.initial_covariance)
        self._noise = Gaussian(torch.zeros_like(self.initial_mean), self.noise_covariance)

    @property
    def state_dim(self) -> int:
        """Entries of a state."""
        return self.A.shape[0]

    @property
    def action_dim(self) -> int:
        """Entries of an action."""
        return self.B.shape[1]

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of states and actions."""
        return self.A.dtype

    @property
    def device(self) -> torch.device:
        """Where the tables are."""
        return self.A.device

    def initial(self) -> Gaussian:
        """p(x₀); a point where its covariance is 0."""
        return self._initial

    def transition(self, state: Float[Tensor, "*b n"], action: Float[Tensor, "*b m"]) -> Gaussian:
        """p(x'|x,u) = N(A x + B u, W)."""
        return self._noise.at(state.to(self.A) @ self.A.mT + action.to(self.A) @ self.B.mT)

    def reward(
        self, state: Float[Tensor, "*b n"], action: Float[Tensor, "*b m"], next_state: Tensor | None = None
    ) -> Float[Tensor, "*b"]:
        """−(xᵀQx + uᵀRu), reward units."""
        return -_square(state, self.state_cost) - _square(action, self.action_cost)

    def final_reward(self, state: Float[Tensor, "*b n"]) -> Float[Tensor, "*b"]:
        """−xᵀQ_f x, reward units."""
        return -_square(state, self.final_state_cost)

    def done(self, state: Float[Tensor, "*b n"]) -> Bool[Tensor, "*b"]:
        """Nowhere."""
        return torch.zeros(state.shape[:-1], dtype=torch.bool, device=state.device)

    @property
    def may_end(self) -> bool:
        """Whether any state ends a trajectory: none does."""
        return False

    def with_initial(self, initial: Any) -> LinearGaussianMDP:
        """The same world starting from a state, or from a Gaussian.

        Raises:
            ValueError: a start of another size, or a distribution that is no Gaussian.
        """
        found = mean_and_covariance(initial)
        if isinstance(initial, Distribution) and found is None and not isinstance(initial, Delta):
            raise ValueError(
                f"initial: expected a state or a Gaussian, got {initial!r}; for others use DifferentiableMDP"
            )
        point = initial.mean if isinstance(initial, Delta) else initial
        mean, covariance = found or (point, torch.zeros_like(self.initial_covariance))
        first = vector("initial", mean, self.state_dim)
        spread = semidefinite("initial covariance", covariance, self.state_dim)
        changes = {
            "initial_mean": torch.as_tensor(first).to(self.A),
            "initial_covariance": torch.as_tensor(spread).to(self.A),
        }
        return self._copied(changes)

    def to(self, device: torch.device | str) -> LinearGaussianMDP:
        """The same world with its tables on another device."""
        return self._copied({name: table.to(device) for name, table in self._tables.items()})

    def _copied(self, changes: dict[str, Tensor]) -> LinearGaussianMDP:
        copy = object.__new__(type(self))
        copy.action_space = self.action_space
        copy._assemble(self._tables | changes)
        return copy

    def digest(self) -> bytes:
        """Bytes that tell worlds apart."""
        digest = hashlib.sha256(f"{type(self).__name__} {self.dtype}".encode())
        for name, table in self._tables.items():
            digest.update(f"{name} {tuple(table.shape)}".encode() + table.contiguous().cpu().numpy().tobytes())
        return digest.digest()

    def __repr__(self) -> str:
        return f"LinearGaussianMDP({self.state_dim} state dimensions, {self.action_dim} action dimensions)"


def _square(vectors: Tensor, cost: Tensor) -> Tensor:
    vectors = vectors.to(cost)
    return ((vectors @ cost) * vectors).sum(-1)
