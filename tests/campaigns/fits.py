"""Short fits of every iterative method, each in a process of its own, which writes down what it found."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyro.distributions as dist
import torch
from torch import Tensor, nn

from ppl_control import (
    SVI,
    ParticlePlanning,
    RecedingHorizon,
    SimulatorMDP,
    SoftActorCritic,
    SoftPolicyGradient,
    SoftQLearning,
    TrajectoryModel,
    infer,
    inverse,
)
from ppl_control.guides import MAP, FixedDynamics, MeanField, OpenLoop, Unconstrained
from ppl_control.models import bus_engine, hiking, narrow_bridge
from ppl_control.policies import CategoricalMLP
from tests.problems import random_problem
from tests.trajectory.test_from_program import as_program

__all__ = ["FITS", "bits", "fit"]

SMALL = {"hidden": (16, 16), "batch_size": 32, "compile": False, "episodes": 2}


def _simulator(env_id: str) -> TrajectoryModel:
    return TrajectoryModel(SimulatorMDP(env_id), discount=0.99, temperature=0.1)


def _inferred(model: Callable[[], TrajectoryModel], method: Any, every: int = 1) -> Callable[[Path], Any]:
    def run(checkpoint: Path) -> Any:
        return infer(model(), method, seed=3, progress=False, checkpoint=checkpoint, checkpoint_every=every)

    return run


def _sampled(form: str, agent: Any) -> Callable[[Path], Any]:
    def run(checkpoint: Path) -> Any:
        model = _simulator("CartPole-v1")
        expert = infer(model, SoftPolicyGradient(steps=16, episodes=2), progress=False)
        method = inverse.SampledMaxEntIRL(
            inverse.MLPReward(state_dim=4, num_actions=2, hidden=(8,)), agent=agent, form=form, rounds=4, episodes=2,
            tries=20, reward_updates=3
        )  # fmt: skip
        return method.fit(model, expert.sample(4), seed=3, progress=False, checkpoint=checkpoint, checkpoint_every=1)

    return run


def _chains(checkpoint: Path) -> Any:
    method = inverse.BayesianIRL(bus_engine.reward(), dist.Normal(0.0, 10.0), samples=4, warmup=3, chains=3)
    demonstrations = bus_engine.demonstrations()
    return method.fit(bus_engine.model(), demonstrations, seed=3, progress=False, checkpoint=checkpoint)


def _program() -> TrajectoryModel:
    return as_program(random_problem(8, prior="uniform", shared=False, ends=False))


# name → a fit that keeps its checkpoint in the file given
FITS: dict[str, Callable[[Path], Any]] = {
    "natural": _inferred(hiking.model, SVI(final_temperature=1e-3, steps=400), 3),
    "adam": _inferred(hiking.model, SVI(Unconstrained(), optimizer="adam", steps=300), 3),
    "score": _inferred(hiking.model, SVI(estimator="score", steps=200, particles=64), 3),
    "network": _inferred(hiking.model, SVI(FixedDynamics(CategoricalMLP(4, num_states=25, hidden=(8,))), steps=200), 3),
    "plan": _inferred(hiking.model, SVI(OpenLoop("independent"), steps=200), 3),
    "pyro": _inferred(_program, SVI(estimator="pyro", steps=60, particles=8)),
    "program": _inferred(_program, SVI(steps=60, particles=16)),
    "reparameterised": _inferred(narrow_bridge.model, SVI(steps=60, particles=16)),
    "flow": _inferred(narrow_bridge.model, SVI(OpenLoop("flow"), steps=60, particles=16)),
    "mean_field": _inferred(narrow_bridge.model, SVI(MeanField(), steps=60, particles=16)),
    "map": _inferred(narrow_bridge.model, SVI(MAP(), steps=80)),
    "particles": _inferred(narrow_bridge.model, ParticlePlanning(2000)),
    "particles_honest": _inferred(hiking.model, ParticlePlanning(100_000, weighting="fixed_dynamics")),
    "receding_horizon": _inferred(hiking.model, RecedingHorizon(SVI(estimator="score", steps=100, particles=32))),
    "soft_q_tables": _inferred(hiking.model, SoftQLearning(steps=2_000_000)),
    "soft_q_played": _inferred(lambda: _simulator("FrozenLake-v1"), SoftQLearning(steps=30_000)),
    "soft_q_deep": _inferred(lambda: _simulator("CartPole-v1"), SoftQLearning(steps=4_000, episodes=2)),
    "gradient_tables": _inferred(hiking.model, SoftPolicyGradient(steps=300), 3),
    "gradient": _inferred(lambda: _simulator("CartPole-v1"), SoftPolicyGradient(steps=10_000, episodes=2)),
    "actor_critic": _inferred(lambda: _simulator("Pendulum-v1"), SoftActorCritic(steps=500, **SMALL)),
    "actor_critic_discrete": _inferred(lambda: _simulator("CartPole-v1"), SoftActorCritic(steps=600, **SMALL)),
    "sampled_reward": _sampled("importance", SoftActorCritic(steps=400, temperature="model", **SMALL)),
    "sampled_adversary": _sampled("adversarial", SoftQLearning(steps=3000, episodes=2, hidden=(8,))),
    "chains": _chains,
    "actor_critic_tabular": _inferred(lambda: _simulator("FrozenLake-v1"), SoftActorCritic(steps=600, **SMALL)),
}


def fit(name: str, checkpoint: Path, out: Path) -> None:
    """Make one fit to its end, from where its checkpoint stands, and write every bit of what it found."""
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    found = json.dumps(dict(bits(FITS[name](checkpoint))))
    out.write_text(found)


def bits(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Everything that a result holds in numbers, place by place, exactly."""
    if isinstance(value, nn.Module):
        yield from bits(value.state_dict(), place)
    elif isinstance(value, Tensor):
        kept = value.detach().contiguous()
        yield place, f"{list(kept.shape)} {hashlib.sha256(kept.numpy().tobytes()).hexdigest()}"
    elif isinstance(value, float):
        yield place, value.hex()
    elif isinstance(value, dict):
        for name, entry in value.items():
            yield from bits(entry, f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for number, entry in enumerate(value):
            yield from bits(entry, f"{place}[{number}]")
    elif isinstance(value, bool | int):
        yield place, str(value)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            if name not in ("model", "method", "seconds"):
                yield from bits(getattr(value, name), f"{place}.{name}")
