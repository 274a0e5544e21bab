"""The loop: act, keep what happened, update."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from ppl_control.inference.base import DivergenceError
from ppl_control.inference.reinforcement.checks import require_finite
from ppl_control.inference.reinforcement.soft_actor_critic.denormals import flushed_denormals
from ppl_control.inference.reinforcement.soft_actor_critic.learned import weights
from ppl_control.inference.reinforcement.soft_actor_critic.state import SoftActorCriticState
from ppl_control.inference.reinforcement.soft_actor_critic.update import METRICS

if TYPE_CHECKING:
    from ppl_control.inference.reinforcement.soft_actor_critic.method import SoftActorCritic

__all__ = ["play"]


def play(method: SoftActorCritic, state: SoftActorCriticState, rounds: int) -> dict[str, float]:
    """So many steps of every environment in place, each followed by its updates.

    Random numbers are drawn for all rounds at once.

    Returns:
        The means of the updates' metrics; nothing where there was no update.

    Raises:
        DivergenceError: a loss, an action or a weight is not finite.
    """
    n, batch_size = method.environments, method.batch_size
    updates = [
        n * method.updates_per_step if state.number + n * (r + 1) >= method.learning_starts else 0
        for r in range(rounds)
    ]
    noise = state.acting.draw(rounds, n, state.generators["acting"])
    drawn = state.replay.draw(sum(updates), batch_size, state.generators["learning"])
    shape = (sum(updates), 2, batch_size, state.noise_width)
    update_noise = torch.randn(shape, generator=state.generators["learning"], device=drawn.device)
    found: list[list[float]] = []
    with state.stream:
        for r in range(rounds):
            action, choice = state.acting.act(state.worlds.observation, noise[r])
            if not np.isfinite(action).all():
                raise DivergenceError(f"step {state.number + 1}: an action is {action}; lower the learning rate")
            moved = state.worlds.step(action)
            state.replay.add(moved)
            state.sums.add(moved.reward, choice, moved.ended)
            state.number += n
            with flushed_denormals():
                for _ in range(updates[r]):
                    k = len(found)
                    metrics = state.update(state.learned, state.replay.read(drawn[k]), update_noise[k]).tolist()
                    require_finite(state.number, **dict(zip(METRICS, metrics, strict=True)))
                    found.append(metrics)
    require_finite(state.number, **weights(state.learned))
    state.sums.temperature = state.temperature
    return dict(zip(METRICS, np.mean(found, axis=0).tolist(), strict=True)) if found else {}
