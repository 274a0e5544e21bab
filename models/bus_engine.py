"""Bus engines: when does the superintendent of maintenance replace one? Read from his own decisions (Rust 1987).

John Rust, "Optimal replacement of GMC bus engines: an empirical model of Harold Zurcher", Econometrica 55(5), 1987. The
table beside this file counts Zurcher's monthly decisions to keep or to replace on the 37 buses of Rust's group 4, by
the mileage since the last replacement in bins of 5,000 miles (the first month of each bus left out).
"""

from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from ppl_control.inverse import Counts, LinearReward, from_decisions
from ppl_control.mdp import TabularMDP
from ppl_control.trajectory import TrajectoryModel

__all__ = ["RISES", "decisions", "demonstrations", "mdp", "model", "reward"]

BINS = 90  # of 5,000 miles
RISES = (0.39189, 0.59529, 0.01281)
"""How often the mileage rises by 0, 1 or 2 bins in a month; Rust's table V."""
SCALE = 0.001  # of the cost of a bin, as Rust scales it
TABLE = Path(__file__).with_name("bus_engine_group4.csv")


def mdp(replacement_cost: float = 10.075, mileage_cost: float = 2.293) -> TabularMDP:
    """Keep or replace, every month.

    Args:
        replacement_cost: RC, paid for a replacement, after which the month goes as from bin 0.
        mileage_cost: θ: a month costs 0.001 θ for each bin on the engine.
    """
    bins = torch.arange(BINS, dtype=torch.float64)
    pay = torch.stack([-SCALE * mileage_cost * bins, torch.full_like(bins, -replacement_cost)], -1)
    start = (bins == 0).double()
    names = [f"{5 * k}-{5 * k + 5} thousand miles" for k in range(BINS)]
    return TabularMDP(start, _transition(), pay, state_names=names, action_names=["keep", "replace"])


def model(
    replacement_cost: float = 10.075,
    mileage_cost: float = 2.293,
    discount: float = 0.9999,
    temperature: float = 1.0,
    action_prior: str | None = None,
) -> TrajectoryModel:
    """Months without end; α = 1 and the base measure make the choices logit, as Rust has them.

    Args:
        replacement_cost: RC.
        mileage_cost: θ.
        discount: of a month.
        temperature: α, reward units per nat.
        action_prior: ``"uniform"``, or None for the counting measure.
    """
    return TrajectoryModel(
        mdp(replacement_cost, mileage_cost), temperature=temperature, discount=discount, action_prior=action_prior
    )


def reward() -> LinearReward:
    """−RC for a replacement, −0.001 θ for each bin of a month without: what is to be learned, from (1, 1)."""
    features = torch.zeros(BINS, 2, 2, dtype=torch.float64)
    features[:, 1, 0] = -1.0
    features[:, 0, 1] = -SCALE * torch.arange(BINS)
    return LinearReward(features, weights=[1.0, 1.0], names=["RC", "θ"])


def decisions() -> pd.DataFrame:
    """Months kept and replaced, by bin; 4,292 decisions of 37 buses."""
    return pd.read_csv(TABLE, index_col="mileage_bin")


def demonstrations() -> Counts:
    """The same as demonstrations."""
    return from_decisions(decisions()[["keep", "replace"]].to_numpy())


def _transition() -> Tensor:
    chances = torch.tensor(RISES, dtype=torch.float64)
    chances = chances / chances.sum()
    table = torch.zeros(BINS, 2, BINS, dtype=torch.float64)
    for s in range(BINS):
        for rise, p in enumerate(chances):
            table[s, 0, min(s + rise, BINS - 1)] += p
            table[s, 1, rise] += p
    return table
