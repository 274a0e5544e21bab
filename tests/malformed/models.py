"""Small good models of every kind, and one of each for every method that does not fit them."""

from __future__ import annotations

from functools import cache
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from gymnasium import spaces

from ppl_control import DifferentiableMDP, LinearGaussianMDP, SimulatorMDP, TabularMDP, TrajectoryModel

__all__ = ["KINDS", "coin_program", "made", "worlds"]


def coin_program() -> None:
    """One decision, one coin."""
    bet = pyro.sample("a_0", dist.Categorical(torch.ones(2)))
    won = pyro.sample("s_1", dist.Bernoulli(0.25 + 0.5 * bet))
    pyro.deterministic("r_0", won)


@cache
def worlds() -> dict[str, Any]:
    """Kind → a world of it."""
    return {
        "table": TabularMDP([0.5, 0.5], [[[0.5, 0.5], [1.0, 0.0]]] * 2, [[0.0, 1.0], [2.0, 0.0]]),
        "linear": LinearGaussianMDP(1.0, 1.0, 0.3, 1.0, 0.5, initial_mean=2.0),
        "vectors": DifferentiableMDP(
            torch.zeros(1),
            lambda state, action: dist.Normal(state + action, 0.1).to_event(1),
            lambda state, action: -(state**2).sum(-1),
            action_space=spaces.Box(-1.0, 1.0, (1,)),
        ),
        "simulator": SimulatorMDP("CartPole-v1"),
    }


@cache
def made(kind: str) -> TrajectoryModel:
    """A model of a kind."""
    if kind == "program":
        return TrajectoryModel.from_program(coin_program, horizon=1)
    if kind == "endless":
        return TrajectoryModel(worlds()["table"], discount=0.9, action_prior="uniform")
    return TrajectoryModel(worlds()[kind], horizon=2)


KINDS = ("table", "linear", "vectors", "simulator", "program", "endless")
