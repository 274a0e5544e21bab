"""Positive semi-definite matrices: checked once, factored once, whatever the units of their axes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["Factor", "apply", "cholesky", "divergence", "factorise"]

ROUNDING = 10  # rounding units an axis that still count as zero
NEGATIVE = 1e3  # rounding units an axis that a product of matrices may fall below zero
CLEAR = 1e6  # rounding units an axis beyond which a pivot of Cholesky's is no rounding, however correlated the axes


def apply(matrix: Float[Tensor, "*b n k"], vector: Float[Tensor, "*c k"]) -> Float[Tensor, "*d n"]:
    """Matrix times vector, batches broadcast; one matrix for all vectors is one product."""
    if matrix.ndim == 2:
        return vector @ matrix.mT
    return (matrix @ vector.unsqueeze(-1)).squeeze(-1)


def cholesky(
    matrix: Float[Tensor, "*b n n"], precision: torch.dtype | None = None
) -> tuple[Float[Tensor, "*b n n"], Bool[Tensor, "*b"]]:
    """The lower Cholesky factor, and whether the matrix is positive definite beyond rounding.

    Pivots are compared with the diagonal, so that axes of different units do not matter.
    """
    lower, info = torch.linalg.cholesky_ex(matrix)
    pivots, variances = lower.diagonal(dim1=-2, dim2=-1).square(), matrix.diagonal(dim1=-2, dim2=-1)
    least = ROUNDING * matrix.shape[-1] * torch.finfo(precision or matrix.dtype).eps
    return lower, (info == 0) & (pivots > least * variances).all(-1)


@dataclass(frozen=True, eq=False)
class Factor:
    """Σ = F Fᵀ, with the pseudo-inverse G of F: G F projects on the axes that vary.

    Attributes:
        matrix: Σ.
        root: F; the Cholesky factor where Σ is positive definite, else columns of zeros where nothing varies.
        rank: of Σ.
        regular: every matrix of the batch is positive definite.
        eps: rounding unit of the numbers that Σ came in.
        singular_inverse: G where it is not the inverse of F.
    """

    matrix: Float[Tensor, "*b n n"]
    root: Float[Tensor, "*b n n"]
    rank: Int[Tensor, "*b"]
    regular: bool
    eps: float
    singular_inverse: Float[Tensor, "*b n n"] | None = None

    @cached_property
    def inverse(self) -> Float[Tensor, "*b n n"]:
        """G."""
        if self.singular_inverse is not None:
            return self.singular_inverse
        identity = torch.eye(self.root.shape[-1], dtype=self.root.dtype, device=self.root.device)
        return torch.linalg.solve_triangular(self.root, identity.expand(self.root.shape), upper=False)

    @cached_property
    def half_log_det(self) -> Float[Tensor, "*b"]:
        """½ log of the product of the eigenvalues that are not 0."""
        if self.regular:
            return self.root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        gram = self.root.mT @ self.root
        empty = (self.root == 0).all(-2)
        return 0.5 * torch.linalg.slogdet(gram + torch.diag_embed(empty.to(gram))).logabsdet

    def supports(self, step: Float[Tensor, "*c n"], size: Float[Tensor, "*c n"]) -> Bool[Tensor, "*d"]:
        """Whether a step stays among the directions that vary, within the rounding of numbers of this size."""
        whitened = apply(self.inverse, step)
        residual = (step - apply(self.root, whitened)).abs()
        deviation = self.matrix.diagonal(dim1=-2, dim2=-1).clamp(min=0).sqrt()
        size = size + deviation * (1 + whitened.norm(dim=-1, keepdim=True))
        # The second term forgives sums of large entries that should have cancelled in a small one.
        allowed = math.sqrt(self.eps) * size + NEGATIVE * self.eps * size.amax(-1, keepdim=True)
        return (residual <= allowed).all(-1) | (self.rank == step.shape[-1])


def divergence(
    ours: Factor, theirs: Factor, step: Float[Tensor, "*b n"], size: Float[Tensor, "*b n"]
) -> Float[Tensor, "*c"]:
    """KL(N(step, Σ) ‖ N(0, Σ')), nats; +∞ where the supports differ; ``size`` as for ``Factor.supports``."""
    stretch = (theirs.inverse @ ours.root).square().sum((-2, -1))
    shift = apply(theirs.inverse, step).square().sum(-1)
    value = 0.5 * (stretch + shift - theirs.rank) + theirs.half_log_det - ours.half_log_det
    if ours.regular and theirs.regular:
        return value
    same = (ours.rank == theirs.rank) & theirs.supports(step.detach(), size.detach())
    for column in ours.root.unbind(-1):
        same = same & theirs.supports(column, column.abs())
    return torch.where(same, value, torch.inf)


def factorise(
    covariance: Float[Tensor, "*b n n"], name: str = "covariance", precision: torch.dtype | None = None
) -> Factor:
    """Factor positive semi-definite matrices.

    Args:
        covariance: Σ.
        name: of the argument, for the error.
        precision: the type that the numbers came in, where it was another one.

    Raises:
        ValueError: a matrix with a negative eigenvalue, or a singular one whose gradient is wanted.
    """
    n, eps = covariance.shape[-1], torch.finfo(precision or covariance.dtype).eps
    lower, definite = cholesky(covariance, precision)
    regular = Factor(covariance, lower, torch.full_like(definite, n, dtype=torch.long), True, eps)
    pivots = lower.diagonal(dim1=-2, dim2=-1).square() / covariance.diagonal(dim1=-2, dim2=-1)
    if bool(definite.all()) and bool((pivots > CLEAR * n * eps).all()):
        return regular
    if bool(definite.all()) and bool((_correlations(covariance.detach())[1] > ROUNDING * n * eps).all()):
        return regular  # nearly singular, but not so: eigenvalues tell where pivots are lost in rounding
    if covariance.requires_grad:
        raise ValueError(
            f"{name}: a singular covariance has no gradient; expected a positive definite one, or detach it"
        )
    shrink, values, vectors = _correlations(covariance)
    deviation = covariance.diagonal(dim1=-2, dim2=-1).clamp(min=0).sqrt()
    unit = n * eps
    explained = (covariance.abs() <= (1 + NEGATIVE * unit) * deviation.unsqueeze(-1) * deviation.unsqueeze(-2)).all()
    if not bool(explained) or bool((values < -NEGATIVE * unit).any()):
        raise ValueError(
            f"{name}: expected positive semi-definite, got smallest eigenvalue "
            f"{float(torch.linalg.eigvalsh(covariance).min()):.6g} in {covariance.tolist()}"
        )
    kept = values > ROUNDING * unit
    spread = torch.where(kept, values, 0.0).sqrt()
    root = deviation.unsqueeze(-1) * vectors * spread.unsqueeze(-2)
    inverse = torch.where(kept, 1 / spread, 0.0).unsqueeze(-1) * vectors.mT * shrink.unsqueeze(-2)
    return Factor(covariance, root, kept.sum(-1), False, eps, inverse)


def _correlations(covariance: Float[Tensor, "*b n n"]) -> tuple[Tensor, Tensor, Tensor]:
    """One over each axis' deviation (0 where nothing varies), eigenvalues and eigenvectors of the correlations.

    Correlations have no units: what counts as rounding is the same for every axis.
    """
    deviation = covariance.diagonal(dim1=-2, dim2=-1).clamp(min=0).sqrt()
    shrink = torch.where(deviation > 0, 1 / deviation, 0.0)
    return shrink, *torch.linalg.eigh(shrink.unsqueeze(-1) * covariance * shrink.unsqueeze(-2))
