"""One large table solved once, in a process of its own, so that its peak memory is its own: prints JSON.

Arguments: model, number of states, discount, and who solves it: ``ours`` or ``quantecon``.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_matrix

from ppl_control import SoftValueIteration, TabularMDP, TrajectoryModel, infer
from tests.large_models import grid, random_graph

TOLERANCE = 1e-6
MODELS: dict[str, Callable[[int], TabularMDP]] = {
    "random": random_graph,
    "grid": lambda n: grid(round(n**0.5)),
    "noisy grid": lambda n: grid(round(n**0.5), goal=False),
}


def soft(mdp: TabularMDP, discount: float) -> dict[str, float]:
    """Seconds from the MDP to the certified solution, everything prepared anew."""
    begun = time.perf_counter()
    solution = infer(TrajectoryModel(mdp, discount=discount), SoftValueIteration(tolerance=TOLERANCE), progress=False)
    return {"seconds": time.perf_counter() - begun, "error": solution.error_bound}


def hard(mdp: TabularMDP, discount: float) -> dict[str, float]:
    """Seconds of quantecon's modified policy iteration from its own form of the model; compiled before."""
    from quantecon.markov import DiscreteDP

    def made(mdp: TabularMDP) -> DiscreteDP:
        n, a = mdp.num_states, mdp.num_actions
        given, terminal = mdp.sparse, mdp.terminal.numpy()
        transition = csr_matrix((given.probability, given.next_state, given.starts), shape=(n * a, n))
        if terminal.any():  # an end is a state that keeps to itself for nothing
            stay = np.flatnonzero(terminal).repeat(a)
            rows = (stay.reshape(-1, a) * a + np.arange(a)).ravel()
            transition = transition + csr_matrix((np.ones(len(stay)), (rows, stay)), shape=transition.shape)
        reward = given.expected_reward.ravel()
        return DiscreteDP(reward, transition, discount, np.arange(n).repeat(a), np.tile(np.arange(a), n))

    made(grid(4)).solve(method="modified_policy_iteration", epsilon=TOLERANCE)
    problem, begun = made(mdp), time.perf_counter()
    found = problem.solve(method="modified_policy_iteration", epsilon=TOLERANCE, max_iter=100_000)
    seconds = time.perf_counter() - begun
    error = abs(problem.bellman_operator(found.v) - found.v).max() / (1 - discount)
    return {"seconds": seconds, "error": float(error)}


if __name__ == "__main__":
    name, states, discount, who = sys.argv[1:]
    started = time.perf_counter()
    mdp = MODELS[name](int(states))
    made = time.perf_counter() - started
    found = (soft if who == "ours" else hard)(mdp, float(discount))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9  # Linux counts in KiB
    print(json.dumps(found | {"making": made, "peak": peak}))
