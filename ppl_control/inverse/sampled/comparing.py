"""Demonstrators and agent side by side: rows with the weights that make expectations of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ppl_control.inverse.sampled.game import Game
from ppl_control.inverse.sampled.live import lent
from ppl_control.inverse.sampled.objectives import Side
from ppl_control.inverse.sampled.ratios import effective_number, per_decision_ratios
from ppl_control.inverse.sampled.recording import Episode, log_densities
from ppl_control.inverse.sampled.steps import Steps, common_window, rows_of, time_aligned
from ppl_control.inverse.sampled.stopping import Gaps, mean_gap
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["Compared", "compare", "measure", "play"]

EDGE = (
    0.01  # of half a box's width: densities of squashed policies run away at the bounds, where demonstrators often are
)


@dataclass(frozen=True, eq=False)
class Weighted:
    """Rows of one side.

    Attributes:
        steps: the rows.
        weight: Σ weight · r estimates E Σγᵗ r, [N].
        log_policy: log density under the present policy, nats, [N]; adversarial only.
    """

    steps: Steps
    weight: Float[Tensor, " N"]
    log_policy: Float[Tensor, " N"] | None

    def side(self, game: Game) -> Side:
        """What the objectives read, with the reward's graph."""
        return Side(game.shaped(self.steps), self.weight, self.log_policy)

    def drawn(self, n: int, generator: torch.Generator) -> Weighted:
        """N rows drawn with replacement, their weights such that sums stay unbiased; itself where there are no more."""
        if len(self.steps) <= n:
            return self
        index = torch.randint(len(self.steps), (n,), generator=generator)
        rows = {name: getattr(self.steps, name)[index] for name in ROWS}
        log_policy = None if self.log_policy is None else self.log_policy[index]
        return Weighted(replace(self.steps, **rows), self.weight[index] * len(self.steps) / n, log_policy)


ROWS = ("state", "action", "next_state", "time", "trajectory", "last")


@dataclass(frozen=True, eq=False)
class Compared:
    """Both sides, and the effective number of episodes behind the agent's."""

    demonstrated: Weighted
    played: Weighted
    effective: float


def play(game: Game) -> list[Episode]:
    """Fresh episodes of the agent's policy, which the reward has not seen; they go into the store."""
    with lent(game.live.mdp, game.state), game.stream:
        fresh = game.recorder.play(game.state.policy, *game.starts.draw(game.settings.episodes))
    game.store.append(fresh)
    game.untrained = game.untrained or fresh
    game.played += sum(len(episode.actions) for episode in fresh)
    return fresh


@torch.no_grad()
def measure(game: Game, fresh: list[Episode]) -> dict[str, float]:
    """How far agent and demonstrators are apart under the present reward; see ``SampledMaxEntIRL.fit``."""
    rows, alpha = rows_of(fresh), game.temperature
    demonstrated, played = _paired(game, fresh)
    before = _paired(game, game.untrained or fresh)
    like = np.array([episode.like for episode in fresh])
    gaps = Gaps(like, ((demonstrated - played) / alpha).numpy(), float((before[0] - before[1]).mean()) / alpha)
    game.gaps.append(gaps)
    gap, error = mean_gap([gaps])
    choice = torch.cat([episode.log_prior - episode.log_policy for episode in fresh])
    return {
        "gap": gap,
        "gap_stderr": error,
        "untrained_gap": gaps.untrained,
        "objective": gap - float(rows.sums(game.model.discount ** rows.time.double() * choice).mean()),
        "demonstrated_return": float(demonstrated.mean()),
        "return": float(played.mean()),
        "temperature": alpha,
        "moved": game.moved,
    }


def _paired(game: Game, episodes: list[Episode]) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Σγᵗ r of each episode's demonstration and of the episode, up to the time at which both are known."""
    theirs, ours = game.demonstrated, rows_of(episodes)
    like = torch.tensor([episode.like for episode in episodes])
    known = torch.minimum(theirs.observed[like], ours.observed)
    return (
        theirs.discounted(game.rewards(theirs), game.demonstrated_discount, known, like),
        ours.discounted(game.rewards(ours), game.model.discount, known, torch.arange(len(like))),
    )


@torch.no_grad()
def compare(game: Game) -> Compared:
    """The demonstrations and the stored episodes, weighed as if the present policy had played them all."""
    model, discount = game.model, game.model.discount
    episodes = [episode for part in game.store for episode in part]
    rows = rows_of(episodes)
    then = torch.cat([episode.log_policy for episode in episodes])
    now, _ = log_densities(model, game.state.policy, rows.state, rows.action, rows.time)
    ratio = per_decision_ratios(rows, now, then, game.settings.largest_ratio)
    window = common_window(game.demonstrated, rows, model.horizon)
    weights = (
        time_aligned(game.demonstrated, game.demonstrated_discount, window),
        time_aligned(rows, discount, window, ratio),
    )
    sides = [
        Weighted(steps, weight, _inner_densities(game, steps) if game.settings.form == "adversarial" else None)
        for steps, weight in zip((game.demonstrated, rows), weights, strict=True)
    ]
    return Compared(sides[0], sides[1], effective_number(rows, ratio, discount))


def _inner_densities(game: Game, steps: Steps) -> Tensor:
    """Log π of actions, those near a bound moved a little inside."""
    action = _inside(steps.action, game.model)
    return log_densities(game.model, game.state.policy, steps.state, action, steps.time)[0].clamp(-MOST, MOST)


MOST = 50.0  # nats: densities beyond say no more


def _inside(action: Tensor, model: TrajectoryModel) -> Tensor:
    if not action.is_floating_point():
        return action
    space = model.mdp.action_space
    low, high = torch.as_tensor(space.low), torch.as_tensor(space.high)
    edge = EDGE * (high - low) / 2
    return action.clamp(low + edge, high - edge)
