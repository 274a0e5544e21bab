"""What a recipe holds, copied for a fit."""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

from torch import nn

__all__ = ["trainable_copy"]

M = TypeVar("M", bound=nn.Module)


def trainable_copy(module: M) -> M:
    """A copy that can be learned on from; the module itself stays as it is.

    Solutions freeze what they hold. Where every parameter is frozen, as there, those of the copy are free; where only
    some are, somebody chose them, and they stay.

    Example:
        >>> found = nn.Linear(1, 1).requires_grad_(False)
        >>> copy = trainable_copy(found)
        >>> copy.weight.requires_grad, found.weight.requires_grad
        (True, False)
    """
    copy = deepcopy(module)
    if not any(parameter.requires_grad for parameter in copy.parameters()):
        copy.requires_grad_()
    return copy
