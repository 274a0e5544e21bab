"""The game as plain values, and back: what a checkpoint keeps of it."""

from __future__ import annotations

from collections import deque
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ppl_control.inference.alike import require_optimizer
from ppl_control.inference.checkpoint import digest_of, identity, named
from ppl_control.inverse.sampled.recording import Episode
from ppl_control.inverse.sampled.stopping import Gaps

if TYPE_CHECKING:
    from ppl_control.inverse.sampled.game import Game

__all__ = ["game_identity", "restore_game", "stored_game"]

NUMBERS = ("number", "learned", "until", "converged", "played", "moved")


def game_identity(game: Game, seed: int) -> dict[str, str]:
    """What makes this fit this fit: model, settings, the agent's where they are the default's, demonstrations, seed."""
    rows = {field.name: getattr(game.demonstrated, field.name) for field in fields(game.demonstrated)}
    more = {"agent": named(game.agent), "demonstrations": digest_of(rows)[:12]}
    return identity(game.model, game.settings, seed) | more


def stored_game(game: Game) -> dict[str, Any]:
    """Everything that changes from round to round."""
    return {
        "agent": game.state.state_dict(),
        "reward": game.reward.state_dict(),
        "shaping": {} if game.shaping is None else game.shaping.state_dict(),
        "optimizer": game.optimizer.state_dict(),
        "starts": game.starts.state_dict(),
        "stream": game.stream.states,
        "generator": game.generator.get_state(),
        "store": [[vars(episode) for episode in part] for part in game.store],
        "untrained": None if game.untrained is None else [vars(episode) for episode in game.untrained],
        "gaps": [{**vars(gaps), "like": torch.as_tensor(gaps.like), "value": torch.as_tensor(gaps.value)}
                 for gaps in game.gaps],
        "history": game.history,
        **{name: getattr(game, name) for name in NUMBERS},
    }  # fmt: skip


def restore_game(game: Game, saved: dict[str, Any]) -> None:
    """Take over a stored state; see ``Game.load_state_dict``."""
    game.state.load_state_dict(saved["agent"])
    game.reward.load_state_dict(saved["reward"])
    if game.shaping is not None:
        game.shaping.load_state_dict(saved["shaping"])
    require_optimizer(saved["optimizer"], game.optimizer)
    game.optimizer.load_state_dict(saved["optimizer"])
    game.starts.load_state_dict(saved["starts"])
    game.stream.states = saved["stream"]
    game.generator.set_state(saved["generator"])
    game.store = deque([_episodes(game, part) for part in saved["store"]], maxlen=game.settings.memory)
    game.untrained = None if saved["untrained"] is None else _episodes(game, saved["untrained"])
    game.gaps = [Gaps(kept["like"].numpy(), kept["value"].numpy(), float(kept["untrained"])) for kept in saved["gaps"]]
    until = saved["until"]
    if not (until is None or (type(until) is int and until >= 0)):
        raise ValueError(f"until: expected environment steps or None, got {until!r:.60}")
    if not saved["number"] - 1 <= saved["learned"] <= saved["number"] or len(game.gaps) != saved["number"]:
        raise ValueError(f"learned: expected the round before {saved['number']} or that one, and gaps of each")
    if bool(game.store) != (saved["number"] > 0) or (game.untrained is None) != (saved["number"] == 0):
        raise ValueError(f"store: expected episodes of the latest of {saved['number']} rounds")
    game.history = saved["history"]
    for name in NUMBERS:
        setattr(game, name, saved[name])


def _episodes(game: Game, kept: Any) -> list[Episode]:
    return [_episode(game, one) for one in kept]


def _episode(game: Game, kept: dict[str, Any]) -> Episode:
    """An episode whose columns fit each other and the demonstrations."""
    found, like = Episode(**kept), game.demonstrated
    length = len(found.actions)
    for name, column, rows, sample in (
        ("states", found.states, length + 1, like.state),
        ("actions", found.actions, length, like.action),
        ("log_policy", found.log_policy, length, None),
        ("log_prior", found.log_prior, length, None),
    ):
        shape = (rows,) if sample is None else (rows, *sample.shape[1:])
        if not isinstance(column, Tensor) or length == 0 or column.shape != shape:
            raise ValueError(f"store: expected {name} of shape {list(shape)} in every episode")
        if sample is not None and column.is_floating_point() != sample.is_floating_point():
            raise ValueError(f"store: expected {name} of {sample.dtype}, got {column.dtype}")
    if type(found.terminated) is not bool or type(found.like) is not int or not 0 <= found.like < len(like.lengths):
        raise ValueError("store: an episode that begins like no demonstration, or ends in no way")
    return found
