"""Linear-Gaussian problems as one large Gaussian over a whole trajectory, in numpy and apart from the library.

A trajectory is z = (e_0, u_0 … u_{T−1}, e_1 … e_T): first state and noise whitened on their supports, so that
singular covariances are served.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Problem:
    """Matrices of one problem; ``prior`` is (gain [T,m,n], offset [T,m], covariance [T,m,m]) or None."""

    A: np.ndarray
    B: np.ndarray
    W: np.ndarray
    Q: np.ndarray
    R: np.ndarray
    final: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    horizon: int
    temperature: float
    prior: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True)
class Affine:
    """matrix @ z + constant."""

    matrix: np.ndarray
    constant: np.ndarray

    def __add__(self, other: Affine) -> Affine:
        return Affine(self.matrix + other.matrix, self.constant + other.constant)

    def __rmatmul__(self, left: np.ndarray) -> Affine:
        return Affine(left @ self.matrix, left @ self.constant)

    __array_ufunc__ = None  # numpy asks this class what a product means


@dataclass(frozen=True)
class Dense:
    """−½ zᵀJz + hᵀz + c = log p(z, O), with states, actions and noise as functions of z."""

    J: np.ndarray
    h: np.ndarray
    c: float
    states: list[Affine]
    actions: list[Affine]
    noises: list[Affine]

    @property
    def least(self) -> float:
        """Smallest eigenvalue of the precision; the evidence is finite where it is positive."""
        return float(np.linalg.eigvalsh(self.J)[0])

    @property
    def log_evidence(self) -> float:
        _, log_det = np.linalg.slogdet(self.J / (2 * np.pi))
        return self.c + 0.5 * self.h @ np.linalg.solve(self.J, self.h) - 0.5 * log_det

    @property
    def posterior(self) -> tuple[np.ndarray, np.ndarray]:
        return np.linalg.solve(self.J, self.h), np.linalg.inv(self.J)


def root(covariance: np.ndarray) -> np.ndarray:
    """F of full column rank with F Fᵀ = Σ."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > 1e-12
    return vectors[:, kept] * np.sqrt(values[kept])


def dense(problem: Problem) -> Dense:
    """The joint density of a whole trajectory."""
    n, m = problem.B.shape
    first, noise = root(problem.spread), root(problem.W)
    sizes = [first.shape[1], *[m] * problem.horizon, *[noise.shape[1]] * problem.horizon]
    blocks = _blocks(sizes)
    whitened = [blocks[0], *blocks[1 + problem.horizon :]]
    actions = blocks[1 : 1 + problem.horizon]
    states = [first @ blocks[0] + Affine(np.zeros((n, sum(sizes))), problem.mean)]
    noises = [noise @ block for block in whitened[1:]]
    for action, disturbance in zip(actions, noises, strict=True):
        states.append(problem.A @ states[-1] + problem.B @ action + disturbance)
    J, h, c = np.zeros((sum(sizes), sum(sizes))), np.zeros(sum(sizes)), 0.0
    terms = [(block, np.eye(block.constant.size), True) for block in whitened]
    terms += [(state, 2 * problem.Q / problem.temperature, False) for state in states[:-1]]
    terms += [(states[-1], 2 * problem.final / problem.temperature, False)]
    terms += [(action, 2 * problem.R / problem.temperature, False) for action in actions]
    if problem.prior is not None:
        for t, (gain, offset, covariance) in enumerate(zip(*problem.prior, strict=True)):
            off = actions[t] + gain @ states[t] + Affine(np.zeros((m, sum(sizes))), -offset)
            terms.append((off, np.linalg.inv(covariance), True))
    for term, precision, normalised in terms:
        J += term.matrix.T @ precision @ term.matrix
        h -= term.matrix.T @ precision @ term.constant
        c -= 0.5 * term.constant @ precision @ term.constant
        if normalised:
            c += 0.5 * np.linalg.slogdet(precision / (2 * np.pi))[1]
    return Dense(J, h, c, states, actions, noises)


@dataclass(frozen=True)
class Believed:
    """q: a policy (gain, offset, covariance) with dynamics (A, B, offset, covariance) over time and a first state."""

    policy: tuple[np.ndarray, np.ndarray, np.ndarray]
    dynamics: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    mean: np.ndarray
    spread: np.ndarray


def honest(problem: Problem, policy: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Believed:
    """A policy in the true dynamics."""
    steps = [np.stack([table] * problem.horizon) for table in (problem.A, problem.B, 0 * problem.mean, problem.W)]
    return Believed(policy, tuple(steps), problem.mean, problem.spread)


def law(problem: Problem, q: Believed) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of z under q."""
    n, m = problem.B.shape
    horizon = problem.horizon
    blocks = _blocks([n, *[m] * horizon, *[n] * horizon])
    total = sum(block.constant.size for block in blocks)
    state = _square_root(q.spread) @ blocks[0] + Affine(np.zeros((n, total)), q.mean)
    start = Affine(np.zeros((n, total)), -problem.mean)
    parts, noises = [np.linalg.pinv(root(problem.spread)) @ (state + start)], []
    back = np.linalg.pinv(root(problem.W))
    for t in range(horizon):
        gain, offset, covariance = (table[t] for table in q.policy)
        A, B, push, noise = (table[t] for table in q.dynamics)
        action = (-gain) @ state + _square_root(covariance) @ blocks[1 + t]
        action = action + Affine(0 * action.matrix, offset)
        parts.append(action)
        following = A @ state + B @ action + _square_root(noise) @ blocks[1 + horizon + t]
        following = following + Affine(0 * following.matrix, push)
        noises.append(back @ (following + (-problem.A) @ state + (-problem.B) @ action))
        state = following
    parts += noises
    matrix = np.concatenate([part.matrix for part in parts])
    return np.concatenate([part.constant for part in parts]), matrix @ matrix.T


def elbo(joint: Dense, mean: np.ndarray, covariance: np.ndarray) -> float:
    """E_q log p(z, O) + entropy of q, nats."""
    expected = -0.5 * (mean @ joint.J @ mean + np.sum(joint.J * covariance)) + joint.h @ mean + joint.c
    return expected + 0.5 * np.linalg.slogdet(2 * np.pi * np.e * covariance)[1]


def expected_return(
    problem: Problem, joint: Dense, mean: np.ndarray, covariance: np.ndarray, discount: float = 1.0
) -> float:
    """E Σ γᵗ r_t with the final reward, reward units."""
    costs = [(state, problem.Q, t) for t, state in enumerate(joint.states[:-1])]
    costs += [(action, problem.R, t) for t, action in enumerate(joint.actions)]
    costs += [(joint.states[-1], problem.final, problem.horizon)]
    total = 0.0
    for term, cost, t in costs:
        centre, spread = marginal(term, mean, covariance)
        total -= discount**t * (centre @ cost @ centre + np.sum(cost * spread))
    return float(total)


def marginal(term: Affine, mean: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of an affine function of z."""
    return term.matrix @ mean + term.constant, term.matrix @ covariance @ term.matrix.T


def random_problem(
    seed: int, *, horizon: int = 3, rank: int = 2, first: int = 1, bend: float = 0.3, prior: str | None = None
) -> Problem:
    """Two states and one action (or three and two for odd seeds).

    Args:
        seed: of everything.
        horizon: T.
        rank: of the noise.
        first: rank of the first state's covariance.
        bend: how negative the state costs may be.
        prior: None, "zero" (N(0, Σ)) or "linear" (with gain and offset).
    """
    rng = np.random.default_rng(seed)
    n, m = (3, 2) if seed % 2 else (2, 1)
    A, B = rng.normal(size=(n, n)) * 0.7, rng.normal(size=(n, m))
    noise, start = rng.normal(size=(n, min(rank, n))) * 0.5, rng.normal(size=(n, min(first, n))) * 0.7
    cost = [rng.normal(size=(n, n)) for _ in range(2)]
    Q, final = (0.3 * c @ c.T - bend * np.eye(n) * rng.uniform() for c in cost)
    push = rng.normal(size=(m, m))
    tables = (np.zeros((horizon, m, n)), np.zeros((horizon, m)), np.zeros((horizon, m, m)))
    gain, offset, spread = tables
    spread += np.eye(m) * rng.uniform(0.5, 2.0)
    if prior == "linear":
        gain += rng.normal(size=gain.shape)
        offset += rng.normal(size=offset.shape)
    return Problem(
        A, B, noise @ noise.T, Q, push @ push.T + 0.2 * np.eye(m), final, rng.normal(size=n), start @ start.T,
        horizon, float(rng.uniform(0.3, 3.0)), None if prior is None else tables,
    )  # fmt: skip


def replaced(problem: Problem, **changes: object) -> Problem:
    """The same problem with other entries."""
    kept = {field.name: getattr(problem, field.name) for field in fields(problem)}
    return Problem(**(kept | changes))


def _square_root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def _blocks(sizes: list[int]) -> list[Affine]:
    rows = np.split(np.eye(sum(sizes)), np.cumsum(sizes)[:-1])
    return [Affine(row, np.zeros(len(row))) for row in rows]
