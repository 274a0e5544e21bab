"""What the exact linear-Gaussian recursions return."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.guides.affine import AffineGaussianDynamics
from ppl_control.inference.exact.quadratic import Conditional, Lucky, Quadratic
from ppl_control.mdp.linear_gaussian import LinearGaussianMDP
from ppl_control.policies.linear_gaussian import LinearGaussianPolicy

__all__ = ["LinearGaussianAnswer", "collect", "tilted"]


@dataclass(frozen=True, eq=False)
class LinearGaussianAnswer:
    """u_t ~ N(k_t − K_t x, Σ_t) and V_t(x) = −xᵀP_t x + p_tᵀx + c_t, in the type and on the device of the MDP.

    Attributes:
        gain: K, index order [t, action, state].
        covariance: Σ.
        offset: k; 0 unless the prior has a centre of its own.
        value_matrix: P, reward units, index order [t, state, state]; the last is the final cost.
        value_vector: p.
        value_constant: c.
        log_evidence_bound: nats; log Z of the posterior, the best ELBO of the variational solution.
        dynamics: what the posterior believes; None: the true dynamics.
    """

    gain: Float[Tensor, "T m n"]
    covariance: Float[Tensor, "T m m"]
    offset: Float[Tensor, "T m"]
    value_matrix: Float[Tensor, "T+1 n n"]
    value_vector: Float[Tensor, "T+1 n"]
    value_constant: Float[Tensor, " T+1"]
    log_evidence_bound: float
    dynamics: AffineGaussianDynamics | None

    def value(self, state: Float[Tensor, "*b n"], t: int = 0) -> Float[Tensor, "*b"]:
        """V_t of states, reward units."""
        linear = state @ self.value_vector[t] + self.value_constant[t]
        return linear - ((state @ self.value_matrix[t]) * state).sum(-1)

    def policy(self) -> LinearGaussianPolicy:
        """The optimal policy; without an offset where none is needed."""
        return LinearGaussianPolicy(self.gain, self.covariance, self.offset if bool(self.offset.any()) else None)


def tilted(A: Tensor, B: Tensor, lucky: list[Lucky], start: Lucky, mean: Tensor) -> AffineGaussianDynamics:
    """The dynamics of one who counts on this luck at every step."""
    shrink = torch.stack([luck.matrix for luck in lucky])
    return AffineGaussianDynamics(
        shrink @ A,
        shrink @ B,
        torch.stack([luck.offset for luck in lucky]),
        torch.stack([luck.covariance for luck in lucky]),
        start.matrix @ mean + start.offset,
        start.covariance,
    )


def collect(
    mdp: LinearGaussianMDP,
    policies: list[Conditional],
    values: list[Quadratic],
    bound: float,
    dynamics: AffineGaussianDynamics | None,
) -> LinearGaussianAnswer:
    """The answer from steps that stand in backward order."""
    policies, values = policies[::-1], values[::-1]

    def stacked(tables: list[Tensor]) -> Tensor:
        return torch.stack(tables).to(mdp.device, mdp.dtype)

    return LinearGaussianAnswer(
        gain=stacked([policy.gain for policy in policies]),
        covariance=stacked([policy.covariance for policy in policies]),
        offset=stacked([policy.offset for policy in policies]),
        value_matrix=stacked([value.matrix for value in values]),
        value_vector=stacked([value.vector for value in values]),
        value_constant=stacked([value.constant for value in values]),
        log_evidence_bound=bound,
        dynamics=dynamics,
    )
