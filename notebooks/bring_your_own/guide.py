"""A guide of your own, here "destiny": luck is one number a place, the same at all times and whatever was done there.

    q(s'|s,a) ∝ p(s'|s,a) exp(pull(s'))

It stands between ``FixedDynamics`` (no pull) and ``Unconstrained`` (a free number for every time, state, action and
outcome). How much of the posterior's luck needs more than a place that attracts?
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from ppl_control import SVI, Comparison, MessagePassing, TrajectoryModel, compare, guides
from ppl_control.models import hiking


class Pull(nn.Module):
    """One number a place as the table of log q(outcome | s, a, t), index order [t, s, a, k], unnormalised."""

    def __init__(self, model: TrajectoryModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, pull: Tensor) -> Tensor:
        """The table, from what is learned."""
        tables = self.model.tables
        places = torch.cat([pull, pull.new_zeros(1)])  # the last is the silent end, where nothing pulls
        logits = tables.log_p + places[tables.successor]  # yours; the −∞ of log_p stays: what cannot be is not believed
        return logits.expand(tables.horizon, *logits.shape)

    def right_inverse(self, logits: Tensor) -> Tensor:
        """What is learned, before the first step: no pull, so that the guide starts as the world is."""
        return logits.new_zeros(self.model.tables.num_states)  # yours


@dataclass(frozen=True)
class Destiny:
    """A recipe: settings that are checked, and ``build``; fitting never changes it."""

    def build(self, model: TrajectoryModel) -> nn.Module:
        """The library's free guide with its table of beliefs tied to fewer numbers."""
        if not model.is_tabular or model.horizon is None:
            raise ValueError(f"guide: Destiny needs a tabular model with a horizon, got {model!r}")
        guide = guides.Unconstrained().build(model)
        register_parametrization(guide, "outcome_logits", Pull(model), unsafe=True)
        return guide


def comparison(model: TrajectoryModel, steps: int = 1000) -> Comparison:
    """The new family between the two that it lies between, and the posterior, whose bound is log Z."""
    methods = {
        "fixed dynamics": SVI(guides.FixedDynamics()),
        "destiny": SVI(Destiny(), steps=steps, optimizer="adam"),
        "unconstrained": SVI(guides.Unconstrained()),
        "posterior": MessagePassing(),
    }
    return compare(model, methods)


if __name__ == "__main__":
    found = comparison(hiking.model())  # yours
    print(found)
    pull = found.runs[1].solution.guide.parametrizations.outcome_logits.original
    print("pull, nats, on the map of the hike:")
    for row in pull.reshape(5, 5).tolist():
        print(" ".join(f"{nats:6.1f}" for nats in row))
