"""The rounds of the game: the agent follows the reward, and the reward tells demonstrators and agent apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch

from ppl_control.inference.base import DivergenceError, IterativeMethod, Solution, Step
from ppl_control.inference.progress import progress_bar
from ppl_control.inference.reinforcement.history import record
from ppl_control.inverse.sampled.checks import Demonstration
from ppl_control.inverse.sampled.comparing import Compared, compare, measure, play
from ppl_control.inverse.sampled.fit import SampledFit
from ppl_control.inverse.sampled.game import Game, begin
from ppl_control.inverse.sampled.learning import learn, logistic_loss
from ppl_control.inverse.sampled.live import relabel
from ppl_control.inverse.sampled.steps import rows_of
from ppl_control.inverse.sampled.stopping import agreed
from ppl_control.threads import threads
from ppl_control.trajectory.model import TrajectoryModel

if TYPE_CHECKING:
    from ppl_control.inverse.sampled.method import SampledMaxEntIRL

__all__ = ["run"]

SHOWN = ("gap", "ess", "return")  # in the progress bar


def run(
    settings: SampledMaxEntIRL,
    agent: IterativeMethod,
    model: TrajectoryModel,
    demonstrations: Sequence[Demonstration],
    survival_drawn: bool,
    *,
    seed: int,
    progress: bool,
    callbacks: Sequence[Callable[[Step], object]],
) -> SampledFit:
    """The whole game, of settings and demonstrations that were checked; see ``SampledMaxEntIRL.fit``."""
    game = begin(settings, agent, model, rows_of(demonstrations), survival_drawn, seed)
    try:
        converged = _played(game, progress, callbacks)
        _train(game, min(_budget(game), game.state.number + math.ceil(settings.settling * _budget(game))))
    finally:
        game.close()  # an environment that there is only one of is free again
    reward = deepcopy(game.reward).requires_grad_(False)
    history = {name: tuple(values) for name, values in game.history.items()}
    return SampledFit(reward, _solution(game, reward), history, game.number, converged)


def _played(game: Game, progress: bool, callbacks: Sequence[Callable[[Step], object]]) -> bool:
    """Round after round, until both sides agree, a callback says so or the rounds are spent; whether they agreed."""
    settings = game.settings
    steps = (1 - settings.settling) * _budget(game)
    name, note = type(settings).__name__, getattr(game.state, "note", "")
    with progress_bar(name, settings.rounds, shown=progress, note=note) as advance:
        advance(0, {})
        while True:
            _train(game, math.ceil(steps * (game.number + 1) / settings.rounds))
            metrics, compared = _round(game)
            advance(game.number, {name: metrics[name] for name in SHOWN})
            stop = [bool(callback(Step(game.number, metrics, game))) for callback in callbacks]
            converged = agreed(
                game.gaps,
                patience=settings.patience,
                tolerance=settings.tolerance,
                closeness=settings.closeness,
            )
            if converged or any(stop) or game.number == settings.rounds:
                return converged
            with threads(1), torch.enable_grad():
                learn(game, compared)
            relabel(game.state, game.live.mdp, game.reward)


def _round(game: Game) -> tuple[dict[str, float], Compared]:
    """Play and look; the reward stays as it is."""
    fresh = play(game)
    with threads(1):
        metrics = measure(game, fresh)
        compared = compare(game)
        metrics["ess"] = compared.effective
        if game.settings.form == "adversarial":
            metrics["objective"] = -logistic_loss(game, compared)
    game.number += 1
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise DivergenceError(f"round {game.number}: {name} is {value}; lower the learning rate")
    record(game.history, game.steps, metrics)
    return metrics, compared


def _train(game: Game, steps: int) -> None:
    """Let the agent learn from the present reward until it has made so many environment steps."""
    with torch.enable_grad():  # also where the caller has switched gradients off
        while game.state.number < steps and not game.agent.finished(game.state):
            game.agent.step(game.live, game.state)


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
