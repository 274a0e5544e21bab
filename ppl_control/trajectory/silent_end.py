"""What a guide draws after the silent end of a table: no choice, whatever it is."""

from __future__ import annotations

from typing import Any

import torch
from pyro.distributions import Categorical
from pyro.poutine.util import site_is_subsample
from torch import Tensor

from ppl_control.trajectory.model import TrajectoryModel
from ppl_control.trajectory.roles import time_index

__all__ = ["silence"]


def silence(model: TrajectoryModel, believed: Any, replayed: Any) -> None:
    """Put the model's point mass at the sites of a guide that come after the end, in place.

    A guide of the user's draws its actions without knowing who has ended; the model allows one value there. What
    is drawn then changes nothing and must not count, as in a plan of the library's.

    Args:
        model: a tabular model; others are left as they are.
        believed: the guide's trace.
        replayed: the model's trace with the guide's values.

    Raises:
        ValueError: a site of the guide has another number of values than the model's.
    """
    if not model.is_tabular:
        return
    for name, node in believed.nodes.items():
        chosen = node["type"] == "sample" and not node["is_observed"] and not site_is_subsample(node)
        if not chosen or name not in replayed.nodes or model.program.roles.of(name) not in ("action", "latent"):
            continue
        site = replayed.nodes[name]
        ended = replayed.nodes[f"s_{time_index(name)}"]["value"] == model.tables.num_states
        only = site["fn"].logits
        own = _logits(node["fn"], site["fn"]).to(only)
        if own.shape[-1] != only.shape[-1]:
            raise ValueError(f"guide: the site {name!r} has {own.shape[-1]} values, the model's {only.shape[-1]}")
        logits = torch.where(ended[..., None], only, own)
        node["fn"] = Categorical(logits=logits)
        node["value"] = site["value"] = torch.where(ended, only.argmax(-1), site["value"])


def _logits(q: Any, model: Any) -> Tensor:
    """Log q of every value that the model's site knows, on the last axis."""
    if isinstance(q, torch.distributions.Categorical):
        return q.logits
    return q.log_prob(model.enumerate_support()).movedim(0, -1)
