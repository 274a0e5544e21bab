"""Ground truth by enumerating every trajectory, in plain Python; nothing here comes from the library."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tests.problems import Problem


@dataclass(frozen=True)
class Path:
    """One trajectory; after the end the state is S and the action -1."""

    states: tuple[int, ...]
    actions: tuple[int, ...]
    rewards: tuple[float, ...]


def paths(problem: Problem) -> dict[Path, float]:
    """p(s₀) ∏ p(outcome|s,a) of every trajectory: the prior's and the rewards' part is left out."""
    found: dict[Path, float] = {}
    for state, p in enumerate(problem.initial):
        if p > 0:
            _extend(problem, found, Path((_seat(problem, state),), (), ()), float(p))
    return found


def _seat(problem: Problem, state: int) -> int:
    terminal = not any(problem.outcomes[state])
    return problem.num_states if terminal else state


def _extend(problem: Problem, found: dict[Path, float], path: Path, p: float) -> None:
    state, end = path.states[-1], problem.num_states
    if len(path.actions) == problem.horizon:
        found[path] = found.get(path, 0.0) + p
        return
    if state == end:
        ended = Path((*path.states, end), (*path.actions, -1), (*path.rewards, 0.0))
        _extend(problem, found, ended, p)
        return
    for action, row in enumerate(problem.outcomes[state]):
        for chance, target, reward, done in row:
            seat = _seat(problem, target)
            lives = 0.0 if done or seat == end else problem.discount
            for successor, share in ((seat, lives), (end, 1 - lives)):
                if share * chance > 0:
                    longer = Path((*path.states, successor), (*path.actions, action), (*path.rewards, reward))
                    _extend(problem, found, longer, p * chance * share)


def log_prior(problem: Problem, path: Path) -> float:
    """Σ log π0 along a trajectory; −inf where the prior rules an action out."""
    total = 0.0
    for t, (state, action) in enumerate(zip(path.states, path.actions, strict=False)):
        if action >= 0:
            chance = problem.prior[t, state, action]
            total += math.log(chance) if chance > 0 else -math.inf
    return total


def log_joints(problem: Problem) -> dict[Path, float]:
    """Log p(τ, O) of every trajectory."""
    return {
        path: math.log(p) + log_prior(problem, path) + sum(path.rewards) / problem.temperature
        for path, p in paths(problem).items()
    }


def log_evidence(problem: Problem) -> float:
    """Log Z."""
    return float(np.logaddexp.reduce(list(log_joints(problem).values())))


def posterior(problem: Problem) -> dict[Path, float]:
    """p(τ | O) of every trajectory."""
    log_z = log_evidence(problem)
    return {path: math.exp(value - log_z) for path, value in log_joints(problem).items()}


def under(problem: Problem, policy: np.ndarray) -> dict[Path, float]:
    """q(τ) when a policy [t, s, a] is executed in the true dynamics."""
    weights = {}
    for path, p in paths(problem).items():
        for t, (state, action) in enumerate(zip(path.states, path.actions, strict=False)):
            p *= policy[t, state, action] if action >= 0 else 1.0
        if p > 0:
            weights[path] = p
    return weights


def elbo(problem: Problem, policy: np.ndarray) -> float:
    """E_q[log p(τ, O) − log q(τ)] of a policy in the true dynamics."""
    joints = log_joints(problem)
    return sum(q * (joints[path] - math.log(q)) for path, q in under(problem, policy).items())


def mean_return(weights: dict[Path, float]) -> float:
    """Expected sum of rewards under weighted trajectories."""
    return sum(w * sum(path.rewards) for path, w in weights.items())


def marginals(problem: Problem, weights: dict[Path, float]) -> dict[str, np.ndarray]:
    """Single and pairwise marginals of weighted trajectories."""
    horizon, n, actions = problem.horizon, problem.num_states, problem.num_actions
    states = np.zeros((horizon + 1, n + 1))
    state_actions = np.zeros((horizon, n, actions))
    transitions = np.zeros((horizon, n + 1, n + 1))
    action_transitions = np.zeros((horizon, actions, n + 1))
    for path, w in weights.items():
        for t, state in enumerate(path.states):
            states[t, state] += w
        for t, action in enumerate(path.actions):
            transitions[t, path.states[t], path.states[t + 1]] += w
            if action >= 0:
                state_actions[t, path.states[t], action] += w
                action_transitions[t, action, path.states[t + 1]] += w
    return {
        "states": states,
        "state_actions": state_actions,
        "transitions": transitions,
        "action_transitions": action_transitions,
    }


def soft_values(problem: Problem) -> np.ndarray:
    """V_t(s) of the best policy in the true dynamics, reward units, [t, s]; by loops."""
    alpha, n = problem.temperature, problem.num_states
    value = np.zeros((problem.horizon + 1, n))
    for t in range(problem.horizon - 1, -1, -1):
        for state in range(n):
            if _seat(problem, state) == n:
                continue
            terms = []
            for action, row in enumerate(problem.outcomes[state]):
                if problem.prior[t, state, action] > 0:
                    q = sum(p * (r + (0.0 if done else problem.discount * value[t + 1, s])) for p, s, r, done in row)
                    terms.append(math.log(problem.prior[t, state, action]) + q / alpha)
            value[t, state] = alpha * np.logaddexp.reduce(terms)
    return value


def best_elbo(problem: Problem) -> float:
    """The best ELBO of a guide with fixed dynamics, nats."""
    return float(problem.initial @ soft_values(problem)[0]) / problem.temperature
