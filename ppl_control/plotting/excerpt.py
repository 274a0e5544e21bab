"""Handlers under which a program shows its graph."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pyro.poutine.messenger import Messenger

from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["FirstDecisions"]


class _Enough(Exception):
    pass


class FirstDecisions(Messenger):
    """End a run before the decision after the first ``steps`` of them."""

    def __init__(self, model: TrajectoryModel, steps: int) -> None:
        super().__init__()
        self.roles, self.steps, self.seen = model.program.roles, steps, 0

    def of(self, run: Callable[[], Any]) -> Callable[[], None]:
        """The shortened program."""

        def shortened() -> None:
            self.seen = 0
            with suppress(_Enough), self:
                run()

        return shortened

    def _pyro_sample(self, msg: Any) -> None:
        if self.roles.of(msg["name"]) == "action":
            if self.seen == self.steps:
                raise _Enough
            self.seen += 1
