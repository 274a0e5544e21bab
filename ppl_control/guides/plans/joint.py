"""Plans that hold every action sequence, as a tree of conditionals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from pyro.distributions import Categorical, constraints
from pyro.distributions.torch_distribution import TorchDistribution
from torch import Tensor, nn

from ppl_control.settings import floating_type, size_of

__all__ = ["MOST_SEQUENCES", "JointPlan", "Sequences", "check_size"]

MOST_SEQUENCES = 2**18  # largest tree that is held


class Sequences(TorchDistribution):
    """A distribution over all A^T action sequences, event shape [T].

    Args:
        levels: log q(a_t | a_0 … a_{t−1}) for t = 0 … T−1, each [A^t, A]; a prefix's row is the number that
            its actions write in base A.
    """

    has_enumerate_support = True
    arg_constraints = {}  # type: ignore[assignment]  # noqa: RUF012
    support = constraints.independent(constraints.nonnegative_integer, 1)  # type: ignore[assignment]

    def __init__(self, levels: Sequence[Float[Tensor, "prefixes A"]], batch_shape: Sequence[int] = ()) -> None:
        self.levels = tuple(levels)
        super().__init__(torch.Size(batch_shape), torch.Size([len(self.levels)]), validate_args=False)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Sequences:
        """The same distribution for every place of a batch."""
        return Sequences(self.levels, batch_shape)

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Int[Tensor, "*batch T"]:
        """Draw sequences, one action after another."""
        shape = torch.Size(sample_shape) + self.batch_shape
        prefix = torch.zeros(shape.numel(), dtype=torch.long, device=self.levels[0].device)
        actions = []
        for level in self.levels:
            actions.append(torch.multinomial(level.exp()[prefix], 1)[:, 0])
            prefix = prefix * level.shape[1] + actions[-1]
        return torch.stack(actions, -1).reshape(*shape, -1)

    def log_prob(self, value: Int[Tensor, "*batch T"]) -> Float[Tensor, "*batch"]:
        """Log q of whole sequences, nats."""
        value = value.long()
        prefix = torch.zeros_like(value[..., 0])
        total = torch.zeros(prefix.shape, dtype=self.levels[0].dtype, device=value.device)
        for level, action in zip(self.levels, value.unbind(-1), strict=True):
            total = total + level[prefix, action]
            prefix = prefix * level.shape[1] + action
        return total.expand(torch.broadcast_shapes(total.shape, self.batch_shape))

    @property
    def mode(self) -> Int[Tensor, "*batch T"]:
        """The likeliest sequence."""
        best, size = int(self.log_table().argmax()), self.levels[0].shape[1]
        digits = [best // size**t % size for t in range(len(self.levels) - 1, -1, -1)]
        return torch.tensor(digits, device=self.levels[0].device).expand(*self.batch_shape, -1)

    def log_table(self) -> Float[Tensor, " sequences"]:
        """Log q of all sequences in the order of ``enumerate_support``."""
        total = self.levels[0][0]
        for level in self.levels[1:]:
            total = (total[:, None] + level).reshape(-1)
        return total

    def enumerate_support(self, expand: bool = True) -> Int[Tensor, "sequences *batch T"]:
        """All sequences, the last action running fastest."""
        one = torch.arange(self.levels[0].shape[1], device=self.levels[0].device)
        table = torch.cartesian_prod(*[one] * len(self.levels)).reshape(-1, len(self.levels))
        table = table.reshape(-1, *(1,) * len(self.batch_shape), table.shape[-1])
        return table.expand(-1, *self.batch_shape, -1) if expand else table


class JointPlan(nn.Module):
    """q(a_0 … a_{T−1}) over all A^T sequences, a free distribution after every prefix; uniform at first.

    Args:
        num_actions: A.
        horizon: T.
        dtype: floating-point type of the logits.

    Raises:
        ValueError: more sequences than can be held, or a size below 1.

    Example:
        >>> JointPlan(2, 3)().log_table().exp().sum().item()
        1.0
    """

    def __init__(self, num_actions: int, horizon: int, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        floating_type("dtype", dtype)
        num_actions, horizon = size_of("num_actions", num_actions), size_of("horizon", horizon)
        check_size(num_actions, horizon, MOST_SEQUENCES)
        self.num_actions, self.horizon, self.dtype = num_actions, horizon, dtype
        sizes = [num_actions**t for t in range(horizon)]
        self.logits = nn.ParameterList([torch.zeros(size, num_actions, dtype=dtype) for size in sizes])

    @property
    def settings(self) -> dict[str, Any]:
        """What the constructor takes to make a plan of this shape."""
        return {"num_actions": self.num_actions, "horizon": self.horizon, "dtype": self.dtype}

    def levels(self) -> tuple[Float[Tensor, "prefixes A"], ...]:
        """Log q(a_t | a_0 … a_{t−1}), one table [A^t, A] a level, with their graph."""
        return tuple(torch.log_softmax(level, -1) for level in self.logits)

    @torch.no_grad()
    def assign(self, levels: Sequence[Float[Tensor, "prefixes A"]]) -> JointPlan:
        """Take these conditionals, log q; returns the plan itself."""
        for own, level in zip(self.logits, levels, strict=True):
            own.copy_(level.expand_as(own))
        return self

    def forward(self) -> Sequences:
        """The distribution over whole sequences, event shape [T]."""
        return Sequences(self.levels())

    def conditional(self, t: int, past: Sequence[Int[Tensor, "*batch"]]) -> Categorical:
        """q(a_t | a_0 … a_{t−1}), one row for every past of the batch."""
        prefix = torch.zeros((), dtype=torch.long, device=self.logits[0].device)
        for action in past[:t]:
            prefix = prefix * self.num_actions + action.long()
        return Categorical(logits=self.logits[t][prefix])


def check_size(num_actions: int, horizon: int, most: int) -> None:
    """Raise a ValueError where A^T is more than ``most``."""
    if horizon * math.log(num_actions) > math.log(most) + 1e-9:
        count = f"{num_actions**horizon}" if horizon * math.log10(num_actions) < 12 else f"{num_actions}^{horizon}"
        raise ValueError(
            f"plan: {count} action sequences are too many to hold (at most {most}); "
            "use a plan of independent actions, or a shorter horizon"
        )
