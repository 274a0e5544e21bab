"""Adam in place: as plain arithmetic inside a graph, and fused outside one.

References:
    Kingma & Ba (2015, arXiv 1412.6980), algorithm 1.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.optim.adam import adam as torch_adam

from ppl_control.inference.reinforcement.soft_actor_critic.learned import Group

__all__ = ["adam_eager", "adam_in_graph"]

DECAYS = (0.9, 0.999)
EPS = 1e-8


def adam_in_graph(group: Group, gradients: Sequence[Tensor], count: Tensor, learning_rate: float) -> None:
    """Move a group down its gradients; ``count``: updates made, this one among them."""
    slow, slower = DECAYS
    rate = learning_rate / (1 - slow**count)
    correction = (1 - slower**count).sqrt()
    for value, gradient, first, second in zip(group.values, gradients, group.first, group.second, strict=True):
        first.lerp_(gradient, 1 - slow)
        second.mul_(slower).addcmul_(gradient, gradient, value=1 - slower)
        value.sub_(rate * first / (second.sqrt() / correction + EPS))


def adam_eager(group: Group, gradients: Sequence[Tensor], count: Tensor, learning_rate: float) -> None:
    """The same in one call of torch's own."""
    torch_adam(
        group.values,
        list(gradients),
        group.first,
        group.second,
        max_exp_avg_sqs=[],
        state_steps=[count - 1 for _ in group.values],  # it counts this update itself, in each of them
        fused=True,
        amsgrad=False,
        beta1=DECAYS[0],
        beta2=DECAYS[1],
        lr=learning_rate,
        weight_decay=0.0,
        eps=EPS,
        maximize=False,
    )
