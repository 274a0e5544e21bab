"""A gymnasium environment of your own, here a ferry: learn in it, and hold what was learned against its exact table.

People come to the landing one by one. Wait for more, or sail with those who are there? A crossing costs the same full
or empty, and whoever waits loses patience.
"""

from typing import Any

import gymnasium
import torch
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import TimeLimit

from ppl_control import SimulatorMDP, SoftQLearning, SoftValueIteration, TabularMDP, TrajectoryModel, evaluate, infer

SEATS, WAIT, SAIL = 6, 0, 1
SETTINGS = {"discount": 0.9, "temperature": 0.2}  # yours: γ, and α in units of the reward a nat


def outcomes(waiting: int, action: int, arrival: float = 0.6) -> list[tuple[float, int, float, bool]]:
    """(probability, next state, reward, terminated); the one place where the rules stand."""
    left, reward = (0, waiting - 2.0) if action == SAIL else (waiting, -0.1 * waiting)  # yours
    return [(1 - arrival, left, reward, False), (arrival, min(left + 1, SEATS), reward, False)]


class Ferry(gymnasium.Env):
    """State: how many wait. Actions: wait, sail. Rewards: fares."""

    def __init__(self) -> None:
        self.observation_space = spaces.Discrete(SEATS + 1)  # yours: Discrete, or a Box of one dimension
        self.action_space = spaces.Discrete(2)  # yours: the same
        # yours, where the world is small: with these two names TabularMDP.from_gymnasium reads the table.
        self.P = {s: {a: outcomes(s, a) for a in (WAIT, SAIL)} for s in range(SEATS + 1)}
        self.initial_state_distrib = [1.0] + [0.0] * SEATS

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """An empty landing."""
        super().reset(seed=seed)  # makes self.np_random: draw from nothing else, so that runs can be repeated
        self.waiting = 0
        return self.waiting, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        """Draw one outcome; ``terminated`` is an end of the world's own, never a time limit."""
        rows = self.P[self.waiting][int(action)]
        drawn = self.np_random.choice(len(rows), p=[row[0] for row in rows])
        _, self.waiting, reward, terminated = rows[drawn]
        return self.waiting, reward, terminated, False, {}


def day() -> gymnasium.Env:
    """What SimulatorMDP calls for every environment it plays in; a limit cuts the day short, which is no end."""
    return TimeLimit(Ferry(), 50)


def simulator() -> TrajectoryModel:
    """The ferry as it can be played: nothing is known but what ``step`` returns."""
    return TrajectoryModel(SimulatorMDP(day), **SETTINGS)


def model() -> TrajectoryModel:
    """The same ferry as a table; the command line looks for this name."""
    return TrajectoryModel(TabularMDP.from_gymnasium(Ferry()), **SETTINGS)


if __name__ == "__main__":
    check_env(Ferry(), skip_render_check=True)
    table = model()
    learned = infer(simulator(), SoftQLearning(steps=20_000), progress=False)
    exact = infer(table, SoftValueIteration())
    print("who          bound (nats)   return   chance of sailing with 0 … 6 on board")
    for name, found in {"learned": learned, "exact": exact}.items():
        sailing = found.policy(torch.arange(SEATS + 1)).probs[:, SAIL]
        bound = f"{found.log_evidence_bound:6.2f} ± {found.log_evidence_bound_stderr:4.2f}"
        chances = " ".join(f"{float(chance):.2f}" for chance in sailing)
        print(f"{name:10} {bound:>14} {evaluate(found, table).executed_return:8.3f}   {chances}")
    played = evaluate(learned, simulator(), episodes=100)
    print(f"learned, played: {played.executed_return:.2f} ± {played.executed_return_stderr:.2f}")
    print(f"largest error of Q: {float((learned.soft_q - exact.soft_q).abs().max()):.2f} fares")
