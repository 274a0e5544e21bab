"""Long loops in stretches, whose graphs are built anew when gradients come back: memory for time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ppl_control.randomness import RandomStream

__all__ = ["in_stretches", "stretches"]

Run = Callable[..., tuple[Tensor, ...]]


def stretches(length: int) -> list[range]:
    """The times 0 … T−1 in ⌈√T⌉ stretches or fewer, none longer than ⌈√T⌉."""
    size = math.isqrt(length - 1) + 1
    return [range(start, min(start + size, length)) for start in range(0, length, size)]


def in_stretches(run: Run, carried: Sequence[Tensor], learned: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """``run(*carried)`` without its graph: it is run again, with the same random numbers, in the backward pass.

    Of T steps in √T stretches the graph of one stretch is held at a time, for one more forward pass. The graph's nodes
    are saved too, which ``torch.utils.checkpoint`` without re-entrance keeps: of short batches they are the most.

    Args:
        run: draws from torch's current random stream and depends on nothing else that changes.
        carried: what the stretch before it left behind.
        learned: all other tensors that it hangs on and whose gradients are wanted; they need not be leaves.

    References:
        Griewank and Walther (2000), Algorithm 799: revolve; Chen et al. (2016), arXiv 1604.06174, section 4.
    """
    found: Any = _Stretch.apply(run, len(carried), *carried, *learned)
    return found


class _Stretch(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, run: Run, count: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.run, ctx.count, ctx.states = run, count, RandomStream.current().states
        ctx.save_for_backward(*tensors)
        ctx.set_materialize_grads(False)
        found = run(*tensors[:count])
        ctx.mark_non_differentiable(*[x for x in found if not x.is_floating_point()])
        return found

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *slopes: Tensor | None) -> tuple[Tensor | None, ...]:
        stream, needed = RandomStream(0), ctx.needs_input_grad[2:]
        stream.states = ctx.states
        carried = [x.detach().requires_grad_(need) for x, need in zip(ctx.saved_tensors[: ctx.count], needed)]  # noqa: B905
        with torch.enable_grad(), stream:
            found = ctx.run(*carried)
        ends = [(x, slope) for x, slope in zip(found, slopes, strict=True) if slope is not None and x.requires_grad]
        tensors = [*carried, *ctx.saved_tensors[ctx.count :]]
        wanted = [i for i, need in enumerate(needed) if need]
        answer: list[Tensor | None] = [None, None, *(None for _ in tensors)]
        if ends and wanted:
            outputs, weights = zip(*ends, strict=True)
            for i, slope in zip(
                wanted,
                torch.autograd.grad(outputs, [tensors[i] for i in wanted], weights, allow_unused=True),
                strict=True,
            ):
                answer[i + 2] = slope
        return tuple(answer)
