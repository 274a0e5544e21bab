"""Soft actor-critic beside stable-baselines3's, at equal environment steps: one run a call, a JSON line a run.

    python tests/benchmarks/side_by_side.py ours HalfCheetah-v5 --steps 20000 --seed 0 >> results.jsonl

Both sides: discount 0.99, networks of 256 × 256, batches of 256, one gradient step an environment step; all else is
each library's default. The final policy plays 20 episodes, deterministically, on seeds that training does not use.
Needs stable-baselines3 and gymnasium[mujoco] (``pip install -e '.[bench]'``).
"""

from __future__ import annotations

import argparse
import json
import time
from importlib.metadata import version
from typing import Any

import gymnasium
import numpy as np
import torch

DISCOUNT = 0.99
EPISODES = 20
EVALUATION_SEED = 1_000_000


def returns(predict: Any, env_id: str) -> list[float]:
    """Undiscounted returns of the deterministic policy on the fixed evaluation seeds."""
    env, found = gymnasium.make(env_id), []
    for k in range(EPISODES):
        observation, _ = env.reset(seed=EVALUATION_SEED + k)
        total, over = 0.0, False
        while not over:
            action, _ = predict(observation, deterministic=True)
            observation, reward, terminated, truncated, _ = env.step(action)
            total += float(reward)
            over = terminated or truncated
        found.append(total)
    return found


def ours(env_id: str, steps: int, seed: int) -> Any:
    """A policy of this library's SoftActorCritic."""
    from ppl_control import SimulatorMDP, SoftActorCritic, TrajectoryModel, infer

    model = TrajectoryModel(SimulatorMDP(env_id), discount=DISCOUNT)
    return infer(model, SoftActorCritic(steps=steps), seed=seed, progress=False).policy.predict


def sb3(env_id: str, steps: int, seed: int) -> Any:
    """A policy of stable-baselines3's SAC."""
    from stable_baselines3 import SAC

    return SAC("MlpPolicy", env_id, gamma=DISCOUNT, seed=seed, device="cpu").learn(steps).predict


def main() -> None:
    """One run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", choices=("ours", "sb3"))
    parser.add_argument("env_id")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    start = time.perf_counter()
    predict = {"ours": ours, "sb3": sb3}[given.library](given.env_id, given.steps, given.seed)
    seconds = time.perf_counter() - start
    found = returns(predict, given.env_id)
    print(
        json.dumps(
            vars(given)
            | {
                "mean_return": float(np.mean(found)),
                "stderr": float(np.std(found, ddof=1) / EPISODES**0.5),
                "seconds": round(seconds, 1),
                "versions": {name: version(name) for name in ("torch", "gymnasium", "mujoco", "stable-baselines3")},
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    main()
