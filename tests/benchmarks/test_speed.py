"""Speed against floors that run beside it: T = 100, 256 trajectories, 16 states, 4 actions, one thread.

Run with ``make bench``. Timings are ratios of medians within one run; the floors are written here, plainly.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import pytest
import torch

from ppl_control import SVI, TabularMDP, TrajectoryModel, guides
from tests.benchmarks.conftest import A, S

T, N = 100, 256


def stepper(mdp: TabularMDP, method: SVI) -> Callable[[], object]:
    model = TrajectoryModel(mdp, horizon=T)
    method.check(model)
    state = method.init(model, seed=0)
    return lambda: method.step(model, state)


def dense(mdp: TabularMDP) -> tuple[torch.Tensor, torch.Tensor]:
    """p(s'|s,a) [S, A, S] and r [S, A] of the benchmark's own problem."""
    out = mdp.outcomes
    transition = torch.zeros(S, A, S + 1, dtype=torch.float64).scatter_add(-1, out.successor, out.probability)
    return transition[..., :S], out.expected_reward


def bare_rollout(mdp: TabularMDP) -> Callable[[], object]:
    """The least a score-function step can do: draw, look up, reward to go, gradient, Adam."""
    transition, reward = dense(mdp)
    logits = torch.zeros(T, S, A, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.1)
    time_index = torch.arange(T)[:, None]
    action_cdf_index = torch.arange(T)
    state_cdf = transition.cumsum(-1)

    def draw(cdf: torch.Tensor) -> torch.Tensor:
        uniform = torch.rand(len(cdf), 1, dtype=torch.float64)
        return (cdf < uniform).sum(-1).clamp(max=cdf.shape[-1] - 1)

    def step() -> None:
        log_policy = torch.log_softmax(logits, -1)
        with torch.no_grad():
            cdf = log_policy.exp().cumsum(-1)
            state, states, actions = torch.randint(S, (N,)), [], []
            for t in action_cdf_index:
                action = draw(cdf[t, state])
                states.append(state)
                actions.append(action)
                state = draw(state_cdf[state, action])
            where = time_index, torch.stack(states), torch.stack(actions)
        chosen = log_policy[where]
        with torch.no_grad():
            to_go = (reward[where[1:]] - chosen).flip(0).cumsum(0).flip(0)
            advantage = to_go - to_go.mean(1, keepdim=True)
        optimizer.zero_grad()
        (-(chosen * advantage).sum() / N).backward()
        optimizer.step()

    return step


def bare_recursion(mdp: TabularMDP) -> Callable[[], object]:
    """The soft backward recursion on dense matrices, values only."""
    transition, reward = dense(mdp)
    matrix = transition.reshape(S * A, S).contiguous()

    def recursion() -> torch.Tensor:
        value = torch.zeros(S, dtype=torch.float64)
        for _ in range(T):
            value = torch.logsumexp(reward + (matrix @ value).view(S, A), -1)
        return value

    return recursion


def medians(functions: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each function over interleaved rounds, after two warm-up rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds + 2):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times[2:]) for name, times in seconds.items()}


def test_score_step_against_pyro_and_bare_rollout(benchmark, mdp):
    fast = stepper(mdp, SVI(estimator="score", particles=N))
    pyro = stepper(mdp, SVI(estimator="pyro", particles=N))
    close = medians({"score": fast, "bare": bare_rollout(mdp)}, rounds=30)
    far = medians({"score": fast, "pyro": pyro}, rounds=5)
    against_pyro, against_bare = far["pyro"] / far["score"], close["score"] / close["bare"]
    print(f"\nscore: {against_pyro:.1f} times faster than Trace_ELBO, {against_bare:.2f} times the bare rollout")
    benchmark(fast)
    assert against_pyro >= 25
    assert against_bare <= 1.25


@pytest.mark.parametrize("guide", [guides.FixedDynamics(), guides.Unconstrained()], ids=lambda g: type(g).__name__)
@pytest.mark.parametrize("optimizer", ["natural", "adam"])
def test_enumerate_step_against_bare_recursion(benchmark, mdp, guide, optimizer):
    exact = stepper(mdp, SVI(guide, estimator="enumerate", optimizer=optimizer, steps=10**6))
    measured = medians({"exact": exact, "bare": bare_recursion(mdp)}, rounds=50)
    ratio = measured["exact"] / measured["bare"]
    print(f"\nenumerate, {type(guide).__name__}, {optimizer}: {ratio:.2f} times the bare recursion")
    benchmark(exact)
    if optimizer == "natural" and isinstance(guide, guides.FixedDynamics):
        assert ratio <= 1.5
