"""Linear-Gaussian control in arithmetic of 50 digits, by the textbook's recursions; nothing here is the library's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.numerics.oracle import mp


@dataclass(frozen=True)
class Gaussian:
    """A problem as lists of numbers; see ``LinearGaussianMDP`` for the names."""

    A: Any
    B: Any
    W: Any
    Q: Any
    R: Any
    final: Any
    mean: Any
    spread: Any
    horizon: int
    temperature: float
    discount: float = 1.0


@dataclass(frozen=True)
class Found:
    """P [t], c [t], K [t], Σ [t] and log Z or the best ELBO, nats."""

    P: list[Any]
    c: list[Any]
    K: list[Any]
    covariance: list[Any]
    bound: Any


def matrix(rows: Any) -> Any:
    return mp.matrix([[mp.mpf(float(x)) for x in row] for row in rows])


def trace(x: Any) -> Any:
    return sum(x[i, i] for i in range(x.rows))


def backward(problem: Gaussian, lucky: bool) -> Found:
    """The posterior (``lucky``) or the variational solution, from the end of the horizon.

    α log E exp(V(y + w)/α) has the curvature (I + (2/α) P W)⁻¹ P and loses α/2 log det(I + (2/α) P W);
    α log ∫ exp(−uᵀHu/α) du = α/2 (m log πα − log det H).
    """
    A, B, W, Q, R = (matrix(getattr(problem, name)) for name in "ABWQR")
    alpha, gamma = mp.mpf(problem.temperature), mp.mpf(problem.discount)
    n, m = A.rows, B.cols
    P, c = [matrix(problem.final)], [mp.mpf(0)]
    gains, covariances = [], []

    def ahead(P: Any, c: Any, W: Any) -> tuple[Any, Any]:
        if not lucky:
            return P, c - trace(P * W)
        risk = mp.eye(n) + 2 / alpha * P * W
        return mp.inverse(risk) * P, c - alpha / 2 * mp.log(mp.det(risk))

    for _ in range(problem.horizon):
        G, constant = ahead(P[-1], c[-1], W)
        G, constant = gamma * G, gamma * constant
        H = R + B.T * G * B
        K = mp.inverse(H) * B.T * G * A
        P.append(Q + A.T * G * A - A.T * G * B * K)
        c.append(constant + alpha / 2 * (m * mp.log(mp.pi * alpha) - mp.log(mp.det(H))))
        gains.append(K)
        covariances.append(alpha / 2 * mp.inverse(H))
    mean = mp.matrix([mp.mpf(float(x)) for x in problem.mean])
    first, constant = ahead(P[-1], c[-1], matrix(problem.spread))
    bound = (constant - (mean.T * first * mean)[0]) / alpha
    return Found(P[::-1], c[::-1], gains[::-1], covariances[::-1], bound)


def expected_return(problem: Gaussian, found: Found) -> Any:
    """E Σ γᵗ r_t of the policy in the true dynamics, reward units."""
    A, B, W, Q, R = (matrix(getattr(problem, name)) for name in "ABWQR")
    mean, spread = mp.matrix([mp.mpf(float(x)) for x in problem.mean]), matrix(problem.spread)
    second, total, weight = spread + mean * mean.T, mp.mpf(0), mp.mpf(1)
    for K, covariance in zip(found.K, found.covariance, strict=True):
        action = K * second * K.T + covariance
        total -= weight * (trace(Q * second) + trace(R * action))
        closed = A - B * K
        second = closed * second * closed.T + B * covariance * B.T + W
        weight *= mp.mpf(problem.discount)
    return total - weight * trace(matrix(problem.final) * second)
