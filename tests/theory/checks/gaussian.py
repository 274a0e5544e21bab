"""Equations 32 to 39: linear dynamics, Gaussian noise, quadratic reward."""

from __future__ import annotations

import numpy as np
import torch

import ppl_control
from ppl_control.inference.exact.linear_gaussian import posterior_control, variational_control
from ppl_control.inference.exact.quadratic import Conditional, Quadratic, best_action, look_at_luck
from tests import dense_gaussian as dense
from tests.theory.registry import close, equation

WORLD = dense.random_problem(0, rank=2, first=2)  # two states, one action
A, B, W, Q, R, F = WORLD.A, WORLD.B, WORLD.W, WORLD.Q, WORLD.R, WORLD.final
ALPHA, T, I = WORLD.temperature, WORLD.horizon, np.eye(2)  # noqa: E741
GRID = np.linspace(-40, 40, 80_001)
PRIORS = (None, np.array([[0.7]]))  # π0 = N(0, Σ0), or Lebesgue


def mdp() -> ppl_control.LinearGaussianMDP:
    return ppl_control.LinearGaussianMDP(
        A, B, W, Q, R, initial_mean=WORLD.mean, initial_covariance=WORLD.spread, final_state_cost=F
    )


def quadratic(P: np.ndarray, c: float = 0.0) -> Quadratic:
    return Quadratic(torch.as_tensor(P), torch.zeros(len(P)).double(), torch.tensor(c, dtype=torch.float64))


def log_integral(log_density: np.ndarray) -> float:
    """Log ∫ exp over the grid."""
    return float(np.logaddexp.reduce(log_density) + np.log(GRID[1] - GRID[0]))


def log_det(matrix: np.ndarray) -> float:
    sign, value = np.linalg.slogdet(matrix)
    assert sign > 0
    return float(value)


@equation(32, ppl_control.LinearGaussianMDP.transition, ppl_control.LinearGaussianMDP.reward)
def check_world():
    x, u = np.array([0.3, -1.2]), np.array([0.7])
    following = mdp().transition(torch.as_tensor(x), torch.as_tensor(u))
    close(following.mean, A @ x + B @ u)
    close(following.covariance_matrix, W)
    close(mdp().reward(torch.as_tensor(x), torch.as_tensor(u)), -(x @ Q @ x + u @ R @ u))


def cost(prior: np.ndarray | None) -> np.ndarray:
    """R + (α/2) Σ0⁻¹, or R without a prior."""
    return R if prior is None else R + 0.5 * ALPHA * np.linalg.inv(prior)


def step(G: np.ndarray, prior: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """P, K and Σ of equations 33 and 34."""
    curvature = cost(prior) + B.T @ G @ B
    K = np.linalg.solve(curvature, B.T @ G @ A)
    return Q + A.T @ G @ (A - B @ K), K, 0.5 * ALPHA * np.linalg.inv(curvature)


def soft_maximum_constant(sigma: np.ndarray, prior: np.ndarray | None) -> float:
    """What a decision adds to c: (α/2) log det(2πΣ), less (α/2) log det(2πΣ0) with a prior."""
    normaliser = 0.0 if prior is None else log_det(2 * np.pi * prior)
    return 0.5 * ALPHA * (log_det(2 * np.pi * sigma) - normaliser)


def acted(G: np.ndarray, prior: np.ndarray | None):
    """What ``best_action`` says with this curvature ahead."""
    given = None if prior is None else Conditional(*(torch.as_tensor(x) for x in (0 * B.T, np.zeros(1), prior)))
    return best_action(quadratic(G), *(torch.as_tensor(x) for x in (A, B, Q, R)), ALPHA, given)


def log_weight(x: np.ndarray, prior: np.ndarray | None) -> np.ndarray:
    """Log π0(u) + (r(x, u) + V(Ax + Bu))/α on the grid of actions, with V(x) = −xᵀFx."""
    ahead = (A @ x)[:, None] + B @ GRID[None]
    paid = -(x @ Q @ x) - R[0, 0] * GRID**2 - np.einsum("in,ij,jn->n", ahead, F, ahead)
    if prior is None:
        return paid / ALPHA
    return paid / ALPHA - 0.5 * GRID**2 / prior[0, 0] - 0.5 * np.log(2 * np.pi * prior[0, 0])


@equation(33, best_action)
def check_riccati():
    x = np.array([0.4, -0.3])
    for prior in PRIORS:
        policy, value = acted(F, prior)
        P, K, sigma = step(F, prior)
        close(value.matrix, P)
        close(policy.gain, K)
        close(value.constant, soft_maximum_constant(sigma, prior))
        # V(x) = α log ∫ π0 exp((r + V')/α) du, by adding up.
        close(-x @ value.matrix.numpy() @ x + float(value.constant), ALPHA * log_integral(log_weight(x, prior)))


@equation(34, best_action)
def check_gaussian_policy():
    x = np.array([0.4, -0.3])
    for prior in PRIORS:
        policy, _ = acted(F, prior)
        _, K, sigma = step(F, prior)
        close(policy.covariance, sigma)
        log_mass = log_weight(x, prior)
        weight = np.exp(log_mass - np.logaddexp.reduce(log_mass))
        mean = (weight * GRID).sum()
        close(mean, (-K @ x)[0])
        close((weight * (GRID - mean) ** 2).sum(), sigma[0, 0])


def given(prior: np.ndarray | None) -> torch.distributions.MultivariateNormal | None:
    """The action prior of a model."""
    if prior is None:
        return None
    return torch.distributions.MultivariateNormal(torch.zeros(1).double(), torch.as_tensor(prior))


@equation(35, variational_control)
def check_variational():
    gamma = 0.9
    for prior in PRIORS:
        found = variational_control(mdp(), T, ALPHA, gamma, given(prior))
        P, c = F, 0.0
        close(found.value_matrix[T], P)
        for t in reversed(range(T)):
            ahead = gamma * (c - np.trace(P @ W))
            P, K, sigma = step(gamma * P, prior)
            c = ahead + soft_maximum_constant(sigma, prior)
            close(found.value_matrix[t], P)
            close(found.value_constant[t], c)
            close(found.gain[t], K)
            close(found.covariance[t], sigma)


@equation(36, posterior_control, look_at_luck)
def check_posterior():
    for prior in PRIORS:
        found = posterior_control(mdp(), T, ALPHA, prior=given(prior))
        P, c = F, 0.0
        for t in reversed(range(T)):
            luck = I + 2 / ALPHA * P @ W
            ahead = c - 0.5 * ALPHA * log_det(luck)
            P, K, sigma = step(np.linalg.solve(luck, P), prior)
            c = ahead + soft_maximum_constant(sigma, prior)
            close(found.value_matrix[t], P)
            close(found.value_constant[t], c)
            close(found.gain[t], K)
            close(found.covariance[t], sigma)
    # y ↦ α log E exp(V(y + w)/α) in one dimension, by adding up.
    P, deviation, y = 0.8, 0.6, 1.1
    _, ahead = look_at_luck(quadratic(np.array([[P]])), torch.tensor([[deviation]], dtype=torch.float64), ALPHA)
    log_noise = -0.5 * (GRID / deviation) ** 2 - np.log(deviation * np.sqrt(2 * np.pi))
    expected = ALPHA * log_integral(log_noise - P * (y + GRID) ** 2 / ALPHA)
    close(float(ahead.constant) - float(ahead.matrix) * y**2, expected)


@equation(37, look_at_luck)
def check_believed_noise():
    P, root = F + I, np.linalg.cholesky(W + 1e-3 * I)
    noise = root @ root.T
    lucky, _ = look_at_luck(quadratic(P), torch.as_tensor(root), ALPHA)
    M = np.linalg.inv(I + 2 / ALPHA * noise @ P)
    close(lucky.matrix, M)
    close(lucky.covariance, M @ noise)
    # In one dimension: the next state given that it turned out well, by adding up.
    P, deviation, y = 0.8, 0.6, 1.1
    lucky, _ = look_at_luck(quadratic(np.array([[P]])), torch.tensor([[deviation]], dtype=torch.float64), ALPHA)
    log_weight = -0.5 * ((GRID - y) / deviation) ** 2 - P * GRID**2 / ALPHA
    weight = np.exp(log_weight - np.logaddexp.reduce(log_weight))
    mean = (weight * GRID).sum()
    close(float(lucky.matrix) * y, mean)
    close(float(lucky.covariance), (weight * (GRID - mean) ** 2).sum())


@equation(38, variational_control)
def check_best_bound():
    m, S, found = WORLD.mean, WORLD.spread, variational_control(mdp(), T, ALPHA)
    P, c = found.value_matrix[0].numpy(), float(found.value_constant[0])
    close(found.log_evidence_bound, (c - m @ P @ m - np.trace(P @ S)) / ALPHA)
    # The same as the ELBO of one large Gaussian over the whole trajectory.
    policy = tuple(table.numpy() for table in (found.gain, found.offset, found.covariance))
    close(found.log_evidence_bound, dense.elbo(dense.dense(WORLD), *dense.law(WORLD, dense.honest(WORLD, policy))))


@equation(39, posterior_control)
def check_evidence():
    m, S, found = WORLD.mean, WORLD.spread, posterior_control(mdp(), T, ALPHA)
    P, c = found.value_matrix[0].numpy(), float(found.value_constant[0])
    luck = I + 2 / ALPHA * P @ S
    close(found.log_evidence_bound, (c - m @ np.linalg.solve(luck, P) @ m) / ALPHA - 0.5 * log_det(luck))
    # The same as the integral of one large Gaussian over the whole trajectory.
    close(found.log_evidence_bound, dense.dense(WORLD).log_evidence)
