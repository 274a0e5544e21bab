"""A method that leaves a mark for each attempt at a run, and can be told to go wrong."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppl_control import SVI, Solution, TabularMDP, TrajectoryModel


@dataclass(frozen=True)
class Marked:
    """An SVI whose runs are logged: one empty file an attempt.

    Attributes:
        log: the folder of the marks.
        pause: seconds that a run takes at least.
        once: seeds whose first attempt ends its process with SIGKILL.
        always: seeds all of whose attempts do.
        bad: seeds that raise.
        held: seeds from this one on wait for ``opened(log)``.
    """

    log: str
    pause: float = 0.0
    once: tuple[int, ...] = ()
    always: tuple[int, ...] = ()
    bad: tuple[int, ...] = ()
    held: int | None = None
    method: SVI = SVI(steps=2, estimator="score", particles=8)  # noqa: RUF009  (frozen)

    @property
    def steps(self) -> int | None:
        return self.method.steps

    def check(self, model: TrajectoryModel) -> None:
        self.method.check(model)

    def init(self, model: TrajectoryModel, seed: int = 0) -> Any:
        first = not list(Path(self.log).glob(f"{seed}.*"))
        (Path(self.log) / f"{seed}.{os.getpid()}.{uuid.uuid4()}").touch()
        time.sleep(self.pause)
        while self.held is not None and seed >= self.held and not opened(Path(self.log)).exists():
            time.sleep(0.02)
        if seed in self.always or (seed in self.once and first):
            os.kill(os.getpid(), signal.SIGKILL)
        if seed in self.bad:
            raise ArithmeticError(f"seed {seed}\nis bad")
        return self.method.init(model, seed)

    def step(self, model: TrajectoryModel, state: Any) -> dict[str, float]:
        return self.method.step(model, state)

    def finished(self, state: Any) -> bool:
        return self.method.finished(state)

    def solution(self, model: TrajectoryModel, state: Any) -> Solution:
        return self.method.solution(model, state)


def opened(log: Path) -> Path:
    """The file that runs wait for which are held."""
    return log.with_suffix(".opened")


def attempts(log: Path) -> Counter[int]:
    """Seed → how often a run with it was begun."""
    return Counter(int(mark.name.split(".")[0]) for mark in log.iterdir())


def processes(log: Path) -> set[int]:
    """The processes that made runs."""
    return {int(mark.name.split(".")[1]) for mark in log.iterdir()}


def walk(temperature: float = 0.5) -> TrajectoryModel:
    """Three states in a row, two actions; one may slip."""
    stay, go = [[0.8, 0.2, 0.0], [0.1, 0.8, 0.1], [0.0, 0.2, 0.8]], [[0.1, 0.8, 0.1], [0.0, 0.1, 0.9], [0.7, 0.2, 0.1]]
    transition = [list(rows) for rows in zip(stay, go, strict=True)]
    mdp = TabularMDP([1.0, 0.0, 0.0], transition, [[0.0, -0.1], [0.0, -0.1], [1.0, 0.5]])
    return TrajectoryModel(mdp, horizon=4, temperature=temperature)
