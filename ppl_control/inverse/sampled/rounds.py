"""The rounds of the game: the agent follows the reward, and the reward tells demonstrators and agent apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import torch

from ppl_control.inference.base import DivergenceError, Solution, Step
from ppl_control.inference.checkpoint import Keeper
from ppl_control.inference.driving import drive
from ppl_control.inference.reinforcement.history import record
from ppl_control.inverse.sampled.comparing import Compared, compare, measure, play
from ppl_control.inverse.sampled.fit import SampledFit
from ppl_control.inverse.sampled.game import Game
from ppl_control.inverse.sampled.learning import learn, logistic_loss
from ppl_control.inverse.sampled.live import relabel
from ppl_control.inverse.sampled.stopping import agreed
from ppl_control.threads import threads

__all__ = ["run"]

SHOWN = ("gap", "ess", "return")  # in the progress bar


def run(
    game: Game, *, progress: bool, callbacks: Sequence[Callable[[Step], object]], keeper: Keeper | None
) -> SampledFit:
    """The whole game, from where it stands; see ``SampledMaxEntIRL.fit``."""

    def told(step: Step) -> None:
        """A callback's word ends the rounds; the agent settles all the same."""
        if any([bool(callback(step)) for callback in callbacks]):
            _end(game)

    with torch.enable_grad():  # also where the caller has switched gradients off
        drive(
            game,
            lambda: _step(game),
            lambda: game.finished,
            title=type(game.settings).__name__,
            total=game.settings.rounds,
            progress=progress,
            note=getattr(game.state, "note", ""),
            shown=SHOWN,
            callbacks=[told],
            keeper=keeper,
        )
    game.close()  # an environment that there is only one of is free again
    reward = deepcopy(game.reward).requires_grad_(False)
    history = {name: tuple(values) for name, values in game.history.items()}
    solution = replace(_solution(game, reward), finished=game.finished)
    return SampledFit(reward, solution, history, game.number, game.converged, game.finished)


def _step(game: Game) -> dict[str, float] | None:
    """A step of the agent; where it has made those of this round, the end of the round, with its metrics.

    The reward learns from a round when the next begins, so that whoever is told of a round sees what was compared.
    """
    settings = game.settings
    if game.until is None and game.learned < game.number:
        with threads(1):
            learn(game, compare(game))
        relabel(game.state, game.live.mdp, game.reward)
        game.learned = game.number
    share = (1 - settings.settling) * (game.number + 1) / settings.rounds
    target = math.ceil(share * _budget(game)) if game.until is None else game.until
    if game.state.number < target and not game.agent.finished(game.state):
        game.agent.step(game.live, game.state)
        return None
    metrics = _round(game)
    game.converged = agreed(
        game.gaps, patience=settings.patience, tolerance=settings.tolerance, closeness=settings.closeness
    )
    if game.converged or game.number == settings.rounds:
        _end(game)
    return metrics


def _end(game: Game) -> None:
    """No more rounds; the agent settles with the reward as it is."""
    budget = _budget(game)
    game.until = min(budget, game.state.number + math.ceil(game.settings.settling * budget))


def _round(game: Game) -> dict[str, float]:
    """Play and look; the reward stays as it is."""
    fresh = play(game)
    with threads(1):
        metrics = measure(game, fresh)
        compared: Compared = compare(game)
        metrics["ess"] = compared.effective
        if game.settings.form == "adversarial":
            metrics["objective"] = -logistic_loss(game, compared)
    game.number += 1
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise DivergenceError(f"round {game.number}: {name} is {value}; lower the learning rate")
    record(game.history, game.steps, metrics)
    return metrics


def _budget(game: Game) -> int:
    """The agent's environment steps in all."""
    method: Any = game.agent
    return method.number_of_steps(game.live) if hasattr(method, "number_of_steps") else method.steps


def _solution(game: Game, reward: torch.nn.Module) -> Solution:
    """The agent in the model with the learned reward, its bound from fresh episodes."""
    final = game.model.replaced(mdp=game.model.mdp.with_reward(reward))
    if hasattr(game.state, "model"):  # a state that knows its model shall know this one
        game.state.model = final
    return game.agent.solution(final, game.state)
