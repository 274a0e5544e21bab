"""Equations 40 to 45: soft Q-learning and the policy gradient."""

from __future__ import annotations

import itertools

import numpy as np
import torch

from ppl_control.inference.reinforcement.bootstrapping import soft_target
from ppl_control.inference.reinforcement.policy_gradient.advantages import generalised_advantages
from ppl_control.inference.reinforcement.policy_gradient.exact import exact_gradient
from ppl_control.inference.reinforcement.policy_gradient.loss import clipped_surrogate
from ppl_control.inference.reinforcement.soft_q_learning.tables import TableState, start_on_tables
from ppl_control.inference.reinforcement.soft_q_learning.targets import soft_maximum, table_rate
from ppl_control.policies import TabularPolicy
from tests import brute_force
from tests.problems import random_problem
from tests.theory.checks.bound import evaluated
from tests.theory.registry import close, equation
from tests.theory.worlds import PROBLEM, alive, outcomes, random_tables

ALPHA, T, N, A = PROBLEM.temperature, PROBLEM.horizon, PROBLEM.num_states, PROBLEM.num_actions
RNG = np.random.default_rng(0)


@equation(40, soft_target, soft_maximum)
def check_soft_target():
    B, gamma = 6, 0.9
    reward, done, Q = RNG.normal(size=B), np.array([0, 0, 1, 0, 1, 0.0]), RNG.normal(size=(B, A))
    prior = RNG.dirichlet(np.ones(A), size=B)
    value = soft_maximum(torch.as_tensor(Q), torch.as_tensor(np.log(prior)), ALPHA)
    found = soft_target(torch.as_tensor(reward), torch.as_tensor(done), value, gamma)
    for i in range(B):
        ahead = ALPHA * np.log(sum(prior[i, a] * np.exp(Q[i, a] / ALPHA) for a in range(A)))
        close(found[i], reward[i] + gamma * (1 - done[i]) * ahead)


@equation(41, TableState.advance, table_rate)
def check_soft_q_learning():
    problem = random_problem(21, discount=0.9, prior="policy")
    model, samples, sweeps = problem.model().replaced(horizon=None), 7, 5
    state = start_on_tables(model, N * A * samples * sweeps, samples, seed=3)
    start = RNG.normal(size=(N, A))
    state.q = torch.as_tensor(start.copy())
    counts = np.random.default_rng(3)  # the same draws
    state.advance()
    assert state.finished
    kept, Q, h = model.mdp.outcomes, start, 4 / (1 - problem.discount)
    for n in range(sweeps):
        V = problem.temperature * np.log((problem.prior[0] * np.exp(Q / problem.temperature)).sum(-1))
        drawn = counts.multinomial(samples, state.probability, size=(N, A))
        target = np.zeros((N, A))
        for s, a, k in itertools.product(alive(problem), range(A), range(drawn.shape[-1])):
            following = int(kept.next_state[s, a, k])
            goes = problem.discount * (not kept.done[s, a, k] and following in alive(problem))
            target[s, a] += drawn[s, a, k] / samples * (kept.reward[s, a, k] + goes * V[following * bool(goes)])
        Q = Q + h / (h + n) * (target - Q)
    np.testing.assert_allclose(state.q[alive(problem)], Q[alive(problem)], rtol=1e-12)


@equation(42, soft_maximum)
def check_limit():
    Q = RNG.normal(size=(100, 3))
    for alpha in (10.0, 1.0, 1e-2, 1e-6):
        found = soft_maximum(torch.as_tensor(Q), torch.zeros(3).double(), alpha).numpy()
        if alpha >= 1e-2:
            close(found, alpha * np.log(np.exp(Q / alpha).sum(-1)))
        slack = 1e-12
        assert (Q.max(-1) <= found + slack).all()
        assert (found <= Q.max(-1) + alpha * np.log(3) + slack).all()


@equation(43, exact_gradient)
def check_policy_gradient():
    logits = random_tables(T, N, A, seed=5)
    pi = logits.exp().numpy()
    J, gradient = exact_gradient(PROBLEM.model(), TabularPolicy(logits.clone()))
    close(J, ALPHA * brute_force.elbo(PROBLEM, pi))
    _, Q = evaluated(pi)
    rho = np.zeros((T + 1, N))
    rho[0] = PROBLEM.initial
    slope = np.zeros((T, N, A))
    for t, s in itertools.product(range(T), alive(PROBLEM)):
        bracket = Q[t, s] - ALPHA * np.log(pi[t, s] / PROBLEM.prior[t, s])
        for a in range(A):
            d_pi = pi[t, s, a] * (np.eye(A)[a] - pi[t, s])  # of a softmax, in its logits
            slope[t, s] += rho[t, s] * d_pi * bracket[a]
            for p, k, _, g in outcomes(PROBLEM, s, a):
                rho[t + 1, k] += rho[t, s] * pi[t, s, a] * p * g
    close(gradient["logits"], slope)


@equation(44, generalised_advantages)
def check_advantages():
    L, gamma, lam = 8, 0.9, 0.7
    reward, value, following = (RNG.normal(size=L) for _ in range(3))
    terminated = np.array([0, 0, 1, 0, 0, 0, 0, 0], bool)
    ended = np.array([0, 0, 1, 0, 0, 1, 0, 0], bool)  # at 5 a time limit
    columns = [torch.as_tensor(x)[:, None] for x in (reward, value, following, terminated, ended)]
    found = generalised_advantages(*columns, discount=gamma, gae_lambda=lam)[:, 0]
    delta = reward + gamma * np.where(terminated, 0.0, following) - value
    for t in range(L):
        last = next((u for u in range(t, L) if ended[u]), L - 1)
        close(found[t], sum((gamma * lam) ** k * delta[t + k] for k in range(last - t + 1)))


@equation(45, clipped_surrogate)
def check_clipped():
    epsilon, advantage = 0.2, RNG.normal(size=50)
    log_ratio = RNG.normal(size=50) * 0.3
    ratio = np.exp(log_ratio)
    found = clipped_surrogate(torch.as_tensor(log_ratio), torch.as_tensor(advantage), epsilon)
    close(found, np.minimum(ratio * advantage, np.clip(ratio, 1 - epsilon, 1 + epsilon) * advantage))
    log_policy = torch.zeros(50, dtype=torch.float64, requires_grad=True)  # log ρ where nothing has moved yet
    clipped_surrogate(log_policy, torch.as_tensor(advantage), epsilon).sum().backward()
    close(log_policy.grad, advantage)
