"""One library's soft actor-critic on HalfCheetah-v5 in a process of its own: told so many steps, says the seconds.

    python sac_worker.py ours|sb3|sbx THREADS

256 × 256 networks, batches of 256, one gradient step an environment step, float32, on the CPU.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

ENV = "HalfCheetah-v5"
STEPS, BUFFER, WARM_UP = 100_000, 100_000, 300


def ours(threads: int) -> Callable[[int], object]:
    """This library; steps in hundreds."""
    from ppl_control import SimulatorMDP, SoftActorCritic, TrajectoryModel

    model = TrajectoryModel(SimulatorMDP(ENV), discount=0.99)
    method = SoftActorCritic(steps=STEPS, buffer_size=BUFFER, threads=threads, compile=True)
    method.check(model)
    state = method.init(model, seed=0)

    def play(steps: int) -> None:
        until = state.number + steps
        while state.number < until:
            method.step(model, state)

    return play


def sb3(threads: int) -> Callable[[int], object]:
    """stable-baselines3."""
    import torch
    from stable_baselines3 import SAC

    torch.set_num_threads(threads)
    learner = SAC("MlpPolicy", ENV, buffer_size=BUFFER, device="cpu", seed=0)
    return lambda steps: learner.learn(steps, reset_num_timesteps=False)


def sbx(threads: int) -> Callable[[int], object]:
    """stable-baselines jax; its threads are the cores that the process may use."""
    from sbx import SAC

    learner = SAC("MlpPolicy", ENV, buffer_size=BUFFER, seed=0)
    return lambda steps: learner.learn(steps, reset_num_timesteps=False)


def main() -> None:
    """Warm up, then time as many steps as each line of standard input says: wall clock and processors."""
    library, threads = sys.argv[1], int(sys.argv[2])
    if hasattr(os, "sched_setaffinity"):  # the only way to hold JAX to so many threads; the same for all
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    play = {"ours": ours, "sb3": sb3, "sbx": sbx}[library](threads)
    play(WARM_UP)
    print("ready", flush=True)
    for line in sys.stdin:
        wall, busy = time.perf_counter(), time.process_time()
        play(int(line))
        print(time.perf_counter() - wall, time.process_time() - busy, flush=True)


if __name__ == "__main__":
    main()
