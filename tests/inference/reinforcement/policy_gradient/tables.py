"""Plain computations on small tables, which the library's own are held against."""

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from ppl_control.policies.base import Policy
from tests.problems import Problem


def objective(problem: Problem, log_policy: Tensor, horizon: int | None) -> Tensor:
    """J = E Σ γᵗ [r − α log π + α log π0], reward units, written down outcome by outcome, with its graph."""
    states, alpha, gamma = problem.num_states, problem.temperature, problem.discount
    prior = torch.as_tensor(problem.prior)
    gains = torch.zeros(problem.num_states, problem.num_actions, dtype=torch.float64)
    moves = torch.zeros(states, problem.num_actions, states, dtype=torch.float64)
    lives = torch.zeros(states, 1, dtype=torch.float64)
    for s, rows in enumerate(problem.outcomes):
        for a, row in enumerate(rows):
            for p, following, reward, done in row:
                lives[s] = 1.0
                gains[s, a] += p * reward
                moves[s, a, following] += p * gamma * (not done)

    def choosing(log_q: Tensor, log_p: Tensor) -> Tensor:
        possible = log_p > -torch.inf
        cost = torch.where(possible, log_q, 0.0) - torch.where(possible, log_p, 0.0)
        return (log_q.exp() * (gains - alpha * cost)).sum(-1) * lives[:, 0]

    if horizon is None:
        step = torch.einsum("sa,sax->sx", log_policy.exp(), moves) * lives
        value = torch.linalg.solve(torch.eye(states).to(step) - step, choosing(log_policy, prior[0].log()))
    else:
        value = torch.zeros(states, dtype=torch.float64)
        for t in range(horizon - 1, -1, -1):
            ahead = torch.einsum("sa,sax,x->s", log_policy[t].exp(), moves, value) * lives[:, 0]
            value = choosing(log_policy[t], prior[t].log()) + ahead
    return torch.as_tensor(problem.initial) @ value


class Boltzmann(Policy):
    """π(a|s,t) = π0 exp((Q − V)/α) of a soft Q that is a smooth function of a few shared numbers."""

    def __init__(self, log_prior: Tensor, temperature: float, numbers: int = 5, seed: int = 0) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(seed)
        shape = log_prior.shape
        self.features = torch.randn(*shape, numbers, generator=random, dtype=torch.float64)
        self.offset = torch.randn(shape, generator=random, dtype=torch.float64)
        self.weights = nn.Parameter(torch.randn(numbers, generator=random, dtype=torch.float64))
        self.log_prior, self.temperature = log_prior, temperature

    def soft_q(self) -> Tensor:
        """Q [t, s, a] or [s, a], reward units."""
        return torch.tanh(self.features @ self.weights) + self.offset * self.weights[0].sin()

    def soft_value(self) -> Tensor:
        """V = α log Σ_a π0 exp(Q/α)."""
        return self.temperature * torch.logsumexp(self.log_prior + self.soft_q() / self.temperature, -1)

    def forward(self, state, t=None):
        logits = self.log_prior + self.soft_q() / self.temperature
        row = logits[state] if logits.ndim == 2 else logits[torch.as_tensor(t), state]
        return torch.distributions.Categorical(logits=row)


class Played(gymnasium.Env):
    """A problem's outcomes, drawn one by one. There must be no terminal state to start in."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.state = problem, 0
        self.observation_space = spaces.Discrete(problem.num_states)
        self.action_space = spaces.Discrete(problem.num_actions)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state = int(self.np_random.choice(self.problem.num_states, p=self.problem.initial))
        return self.state, {}

    def step(self, action):
        row = self.problem.outcomes[self.state][int(action)]
        chances = np.array([outcome[0] for outcome in row])
        _, self.state, reward, done = row[int(self.np_random.choice(len(row), p=chances / chances.sum()))]
        return self.state, reward, done, False, {}


class Target(gymnasium.Env):
    """One decision: r = −(a − 0.5)², between −1 and 2."""

    def __init__(self) -> None:
        self.observation_space = spaces.Box(-1.0, 1.0, (1,), np.float32)
        self.action_space = spaces.Box(-1.0, 2.0, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1, dtype=np.float32), {}

    def step(self, action):
        return np.zeros(1, dtype=np.float32), -((float(action[0]) - 0.5) ** 2), True, False, {}
