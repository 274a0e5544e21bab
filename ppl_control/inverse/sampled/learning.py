"""One round of learning the reward."""

from __future__ import annotations

import torch
from torch import Tensor

from ppl_control.inference.base import DivergenceError
from ppl_control.inverse.sampled.comparing import Compared
from ppl_control.inverse.sampled.game import Game
from ppl_control.inverse.sampled.objectives import adversarial_loss, dual_loss, squared_rewards

__all__ = ["largest_move", "learn", "logistic_loss"]

UPDATES = {"importance": 10, "adversarial": 40}  # gradient steps a round


def learn(game: Game, compared: Compared) -> None:
    """Some steps of Adam on the reward in place, then back along the way where it went farther than it may.

    Raises:
        DivergenceError: the loss is not finite.
    """
    settings, most = game.settings, largest_move(game)
    leaves = [p for group in game.optimizer.param_groups for p in group["params"]]
    before = [p.detach().clone() for p in leaves]
    old = _in_nats(game, compared)
    for _ in range(settings.reward_updates or UPDATES[settings.form]):
        loss = _loss(game, compared)
        if not bool(torch.isfinite(loss)):
            raise DivergenceError(f"round {game.number}: the reward's loss is {float(loss)}; lower the learning rate")
        game.optimizer.zero_grad()
        loss.backward()
        game.optimizer.step()
    moved = _distance(game, compared, old)
    if moved > most:
        with torch.no_grad():
            for value, start in zip(leaves, before, strict=True):
                value.copy_(start.lerp(value, most / moved))
        moved = _distance(game, compared, old)
    game.moved = moved


def largest_move(game: Game) -> float:
    """Nats, falling linearly to 0 with the rounds."""
    return game.settings.largest_move * (1 - game.number / game.settings.rounds)


@torch.no_grad()
def logistic_loss(game: Game, compared: Compared) -> float:
    """The discriminator's, nats."""
    sides = compared.demonstrated.side(game), compared.played.side(game)
    return float(adversarial_loss(*sides, game.temperature))


def _loss(game: Game, compared: Compared) -> Tensor:
    settings, alpha = game.settings, game.temperature
    demonstrated, played = (
        side.drawn(settings.batch_size, game.generator).side(game) for side in (compared.demonstrated, compared.played)
    )
    loss = (dual_loss if settings.form == "importance" else adversarial_loss)(demonstrated, played, alpha)
    if settings.penalty:
        loss = loss + 0.5 * settings.penalty * squared_rewards(demonstrated, played, alpha)
    if settings.l2:
        squares = torch.stack([p.double().square().sum() for p in game.reward.parameters()]).sum()
        loss = loss + 0.5 * settings.l2 * squares
    return loss


@torch.no_grad()
def _in_nats(game: Game, compared: Compared) -> Tensor:
    sides = (compared.demonstrated, compared.played)
    return torch.cat([game.rewards(side.steps) for side in sides]) / game.temperature


def _distance(game: Game, compared: Compared, old: Tensor) -> float:
    """The root of the weighted mean of squared changes of r/α over both sides, nats."""
    weight = torch.cat([compared.demonstrated.weight, compared.played.weight])
    change = _in_nats(game, compared) - old
    return float(((weight * change.square()).sum() / weight.sum()).sqrt())
