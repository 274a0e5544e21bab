"""A guide of your own, here "destiny": luck is one number a place, the same at all times and whatever was done there.

    q(s'|s,a) ∝ p(s'|s,a) exp(pull(s'))

It stands between ``FixedDynamics`` (no pull) and ``Unconstrained`` (a free number for every time, state, action and
outcome). How much of the posterior's luck needs more than a place that attracts?
"""

from dataclasses import dataclass, replace

import torch
from torch import nn

from ppl_control import SVI, Comparison, MessagePassing, TrajectoryModel, compare, guides
from ppl_control.models import hiking


class DestinyGuide(guides.TabularGuide):
    """The family bound to a model: its policy, the model's own start, and beliefs made of one number a place."""

    def __init__(self, model: TrajectoryModel) -> None:
        super().__init__(model, guides.FixedDynamics().build(model).policy)
        self.pull = nn.Parameter(torch.zeros(model.mdp.num_states, dtype=torch.float64))  # yours: what is learned

    def tables(self) -> guides.GuideTables:
        """Log-probabilities with their graph: log q(outcome | s, a, t), index order [t, s, a, k], for the dynamics."""
        own, model = super().tables(), self.model.tables
        places = torch.cat([self.pull, self.pull.new_zeros(1)])  # the last is the silent end, where nothing pulls
        logits = model.log_p + places[model.successor]  # yours; the −∞ of log_p stays: what cannot be is not believed
        believed = torch.log_softmax(logits, -1)
        return replace(own, outcomes=believed.expand(model.horizon, *believed.shape))


@dataclass(frozen=True)
class Destiny:
    """A recipe: settings that are checked, and ``build``; fitting never changes it."""

    def build(self, model: TrajectoryModel) -> DestinyGuide:
        """The guide bound to a model."""
        if not model.is_tabular or model.horizon is None:
            raise ValueError(f"guide: Destiny needs a tabular model with a horizon, got {model!r}")
        return DestinyGuide(model)


def comparison(model: TrajectoryModel, steps: int = 1000) -> Comparison:
    """The new family between the two that it lies between, and the posterior, whose bound is log Z."""
    methods = {
        "fixed dynamics": SVI(guides.FixedDynamics()),
        "destiny": SVI(Destiny(), steps=steps),
        "unconstrained": SVI(guides.Unconstrained()),
        "posterior": MessagePassing(),
    }
    return compare(model, methods)


if __name__ == "__main__":
    found = comparison(hiking.model())  # yours
    print(found)
    pull = found.runs[1].solution.guide.pull
    print("pull, nats, on the map of the hike:")
    for row in pull.reshape(5, 5).tolist():
        print(" ".join(f"{nats:6.1f}" for nats in row))
