"""Quadratic values under linear-Gaussian dynamics: one soft maximum over actions, one optimistic look at noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.mdp.semidefinite import cholesky

__all__ = ["BreakdownError", "Conditional", "Lucky", "Quadratic", "best_action", "look_at_luck"]


class BreakdownError(ValueError):
    """An integral over actions or noise diverges; the message names time, matrix and smallest eigenvalue."""

    def __init__(self, matrix: str, eigenvalue: float, instead: str) -> None:
        super().__init__(matrix, eigenvalue, instead)
        self.matrix, self.eigenvalue, self.instead = matrix, eigenvalue, instead
        self.place = ""

    def __str__(self) -> str:
        return (
            f"breakdown {self.place}: {self.matrix} is not positive definite, its smallest eigenvalue is "
            f"{self.eigenvalue:.6g}; {self.instead}"
        )


@dataclass(frozen=True, eq=False)
class Quadratic:
    """V(x) = −xᵀPx + pᵀx + c, reward units.

    Attributes:
        matrix: P, symmetric.
        vector: p.
        constant: c.
    """

    matrix: Float[Tensor, "n n"]
    vector: Float[Tensor, " n"]
    constant: Float[Tensor, ""]


@dataclass(frozen=True, eq=False)
class Conditional:
    """u ~ N(k − K x, Σ) at one step.

    Attributes:
        gain: K.
        offset: k.
        covariance: Σ.
    """

    gain: Float[Tensor, "m n"]
    offset: Float[Tensor, " m"]
    covariance: Float[Tensor, "m m"]


@dataclass(frozen=True, eq=False)
class Lucky:
    """The noise w ~ N(0, W) given that it turned out well: y + w ~ N(M y + b, C) for the mean y that was due.

    Attributes:
        matrix: M = (I + (2/α) W P)⁻¹.
        offset: b.
        covariance: C = W^½ (I + (2/α) W^½ P W^½)⁻¹ W^½.
    """

    matrix: Float[Tensor, "n n"]
    offset: Float[Tensor, " n"]
    covariance: Float[Tensor, "n n"]


def definite(matrix: Float[Tensor, "n n"], name: str, instead: str) -> Float[Tensor, "n n"]:
    """The lower Cholesky factor.

    Raises:
        BreakdownError: not positive definite beyond rounding.
    """
    matrix = _symmetric(matrix)
    if not bool(matrix.isfinite().all()):
        raise BreakdownError(name, math.nan, "its entries are no longer finite: shorten the horizon or scale the costs")
    lower, good = cholesky(matrix)
    if not bool(good):
        raise BreakdownError(name, float(torch.linalg.eigvalsh(matrix)[0]), instead)
    return lower


def best_action(
    ahead: Quadratic,
    A: Float[Tensor, "n n"],
    B: Float[Tensor, "n m"],
    state_cost: Float[Tensor, "n n"],
    action_cost: Float[Tensor, "m m"],
    temperature: float,
    prior: Conditional | None = None,
    name: str = "R + BᵀPB",
) -> tuple[Conditional, Quadratic]:
    """V(x) = α log ∫ π0(u|x) exp((−xᵀQx − uᵀRu + ahead(Ax + Bu))/α) du, and the policy that attains it.

    A prior N(m − K₀x, Σ₀) is a cost of its own with the matrix S = α/2 Σ₀⁻¹.

    Args:
        ahead: the value of the mean of the next state.
        A: the dynamics.
        B: the push of actions.
        state_cost: Q.
        action_cost: R.
        temperature: α, reward units per nat.
        prior: π0; None: Lebesgue.
        name: of the matrix that must be positive definite, for the error.

    Returns:
        The policy, with covariance α/2 (R + S + BᵀGB)⁻¹ for the curvature G ahead, and V.

    Raises:
        BreakdownError: the integral over actions diverges.

    References:
        Levine (2018), arXiv 1805.00909, eq. 14-15; Todorov (2009); P in the form of Joseph (Bucy and Joseph 1968).
    """
    m = B.shape[-1]
    gain_of_prior, centre, pull = A.new_zeros(m, A.shape[0]), A.new_zeros(m), A.new_zeros(m, m)
    log_volume = -m * math.log(2 * math.pi)
    if prior is not None:
        root = definite(prior.covariance, "the action prior's covariance", "give a positive definite one")
        gain_of_prior, centre = prior.gain, prior.offset
        pull = 0.5 * temperature * torch.cholesky_inverse(root)
        log_volume = 2 * root.diagonal().log().sum()
    curvature, slope = ahead.matrix, ahead.vector
    advice = "raise action_cost, or give a (narrower) Gaussian action_prior"
    root = definite(action_cost + pull + B.mT @ curvature @ B, name + (" + α/2 Σ₀⁻¹" if prior else ""), advice)
    gain = torch.cholesky_solve(B.mT @ curvature @ A + pull @ gain_of_prior, root)
    towards = B.mT @ slope + 2 * pull @ centre
    offset = 0.5 * torch.cholesky_solve(towards.unsqueeze(-1), root).squeeze(-1)
    # The value is read off along the mean action: sums of costs, so that large terms need not cancel.
    closed, push = A - B @ gain, B @ offset
    off_gain, off_centre = gain_of_prior - gain, offset - centre
    matrix = state_cost + gain.mT @ action_cost @ gain + closed.mT @ curvature @ closed + off_gain.mT @ pull @ off_gain
    vector = (
        closed.mT @ (slope - 2 * curvature @ push)
        + 2 * gain.mT @ action_cost @ offset
        - 2 * off_gain.mT @ pull @ off_centre
    )
    log_det = m * math.log(0.5 * temperature) - 2 * root.diagonal().log().sum()
    constant = (
        ahead.constant
        + (slope - curvature @ push) @ push
        - offset @ action_cost @ offset
        - off_centre @ pull @ off_centre
        + 0.5 * temperature * (log_det - log_volume)
    )
    policy = Conditional(gain, offset, 0.5 * temperature * torch.cholesky_inverse(root))
    return policy, Quadratic(_symmetric(matrix), vector, constant)


def look_at_luck(
    value: Quadratic, root: Float[Tensor, "n n"], temperature: float, name: str = "I + (2/α) W^½ P W^½"
) -> tuple[Lucky, Quadratic]:
    """Y ↦ α log E exp(V(y + w)/α) for w ~ N(0, W), and the noise given that luck.

    The curvature becomes (I + (2/α) P W)⁻¹ P, right for singular P and W.

    Args:
        value: V.
        root: F with F Fᵀ = W.
        temperature: α, reward units per nat.
        name: of the matrix that must be positive definite, for the error.

    Raises:
        BreakdownError: the expectation is infinite.

    References:
        Jacobson (1973), eq. 26-31; Whittle (1981).
    """
    P, p = value.matrix, value.vector
    identity = torch.eye(root.shape[0], dtype=root.dtype, device=root.device)
    advice = (
        f"raise the temperature (now {temperature:g}), lower the noise, or use the variational solution "
        "(SoftValueIteration), which does not count on luck"
    )
    lower = definite(identity + 2 / temperature * root.mT @ P @ root, name, advice)
    covariance = root @ torch.cholesky_solve(root.mT, lower)
    covariance = _symmetric(covariance)
    shrink = torch.linalg.solve(identity + 2 / temperature * root @ (root.mT @ P), identity)
    # P̃ = P M, written as what it minimises: the cost after the noise and the noise's own (½ α |z|², w = F z).
    noise = 2 / temperature * torch.cholesky_solve(root.mT @ P, lower)
    curvature = shrink.mT @ P @ shrink + 0.5 * temperature * noise.mT @ noise
    offset = covariance @ p / temperature
    constant = value.constant + 0.5 * p @ offset - temperature * lower.diagonal().log().sum()
    return Lucky(shrink, offset, covariance), Quadratic(_symmetric(curvature), shrink.mT @ p, constant)


def _symmetric(matrix: Tensor) -> Tensor:
    return 0.5 * (matrix + matrix.mT)
