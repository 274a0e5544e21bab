"""Chains of the no-U-turn sampler: each from a stream of its own, kept when it is whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyro
import torch
from pyro.infer import MCMC, NUTS
from pyro.infer.autoguide import init_to_value
from torch import Tensor

from ppl_control.inference.checkpoint import Keeper
from ppl_control.inference.progress import progress_bar
from ppl_control.interruption import interruptible
from ppl_control.inverse.bayesian.sampling import Draws
from ppl_control.randomness import RandomStream

if TYPE_CHECKING:
    from ppl_control.inverse.bayesian.method import BayesianIRL

__all__ = ["Chains", "by_nuts"]

LEAST = 4  # draws that ArviZ can say anything about


def by_nuts(
    method: BayesianIRL,
    program: Callable[[], Any],
    start: Mapping[str, Tensor],
    seed: int,
    progress: bool,
    keep: Callable[[Chains], Keeper | None],
    forget: Callable[[], object],
) -> Draws:
    """Chains of the no-U-turn sampler, with a dense metric.

    Ctrl-C ends the chain in flight. The chains before it are what is answered from, and where there are none the
    draws that the first has made since its warm-up.

    Args:
        method: the settings.
        program: the model of the reward.
        start: where every chain begins.
        seed: of the chains' streams, of which each has its own.
        progress: whether to show the bar.
        keep: resumes the chains that were made before; what it returns stores them after each.
        forget: called before each chain: takes back what an earlier one left behind, such as the value that the next
            fixed point is sought from, so that a chain hangs on its stream alone, to the last bit.

    Raises:
        KeyboardInterrupt: Ctrl-C before there were four draws.
    """
    streams = np.random.SeedSequence(seed % 2**63).generate_state(method.chains).tolist()
    chains, each = Chains(start, method.samples), method.warmup + method.samples
    keeper = keep(chains)
    with (
        interruptible() as interrupted,
        progress_bar("BayesianIRL, NUTS", each * method.chains, shown=progress, ending=interrupted) as advance,
    ):
        while chains.number < method.chains:
            made = chains.number * each
            chain = _Chain(lambda i, made=made: advance(made + i, {}), interrupted)
            forget()
            with RandomStream(streams[chains.number]), pyro.get_param_store().scope(), torch.enable_grad():
                whole = chain.run(method, program, start)
            if not whole:
                return _cut_short(chains, chain)
            chains.add(*chain.draws())
            if keeper is not None:
                keeper.store()
    return chains.together()


@dataclass(eq=False)
class Chains:
    """The chains that were made.

    Attributes:
        start: where every chain begins.
        samples: draws of a whole chain.
        values: of each chain, parameter → draws [draw, *shape].
        diverging: of each chain, which of its draws diverged, [draw].
    """

    start: Mapping[str, Tensor]
    samples: int
    values: list[dict[str, Tensor]] = field(default_factory=list)
    diverging: list[Tensor] = field(default_factory=list)

    @property
    def number(self) -> int:
        """How many."""
        return len(self.values)

    def add(self, values: dict[str, Tensor], diverging: Tensor) -> None:
        """One more."""
        self.values.append(values)
        self.diverging.append(diverging)

    def together(self, finished: bool = True) -> Draws:
        """All of them side by side."""
        values = {name: torch.stack([chain[name] for chain in self.values]) for name in self.values[0]}
        return Draws(values, {"diverging": torch.stack(self.diverging).numpy()}, finished=finished)

    def state_dict(self) -> dict[str, Any]:
        """The draws, and how many chains they are."""
        return {"values": list(self.values), "diverging": list(self.diverging), "number": self.number}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over stored chains.

        Raises:
            ValueError: draws that are none of these parameters.
        """
        expected = {name: ((self.samples, *value.shape), value.dtype) for name, value in self.start.items()}
        for chain, late in zip(saved["values"], saved["diverging"], strict=True):
            found = {name: (tuple(value.shape), value.dtype) for name, value in chain.items()}
            if found != expected or (tuple(late.shape), late.dtype) != ((self.samples,), torch.bool):
                raise ValueError(f"chains: expected {self.samples} draws of {', '.join(expected)}, and which diverged")
        if len(saved["values"]) != saved["number"]:
            raise ValueError(f"chains: expected {saved['number']}, got {len(saved['values'])}")
        place = {name: value.device for name, value in self.start.items()}
        self.values = [{name: chain[name].to(place[name]) for name in chain} for chain in saved["values"]]
        self.diverging = list(saved["diverging"])


class _Chain:
    """One chain, and the draws it has made.

    Args:
        advance: told of the number of each transition, from 1.
        interrupted: whether it shall end.
    """

    def __init__(self, advance: Callable[[int], None], interrupted: Callable[[], bool]) -> None:
        self._advance, self._interrupted = advance, interrupted
        self._made, self._free = 0, []
        self._kernel: Any = None

    def run(self, method: BayesianIRL, program: Callable[[], Any], start: Mapping[str, Tensor]) -> bool:
        """Make all transitions; whether it was let."""
        self._kernel = NUTS(program, full_mass=True, init_strategy=init_to_value(values=dict(start)))
        try:
            MCMC(self._kernel, method.samples, method.warmup, disable_progbar=True, hook_fn=self._tell).run()
        except _CutShortError:
            return False
        return True

    def _tell(self, kernel: Any, values: Mapping[str, Tensor], stage: str, number: int) -> None:
        self._made += 1
        self._advance(self._made)
        if stage.startswith("Sample"):
            self._free.append({name: value.detach().clone() for name, value in values.items()})
            self._late = list(kernel.diagnostics()["divergences"])
            self._transforms = kernel.transforms
        if self._interrupted():
            raise _CutShortError

    def __len__(self) -> int:
        return len(self._free)

    def draws(self) -> tuple[dict[str, Tensor], Tensor]:
        """Parameter → [draw, *shape], and which draws diverged, [draw]."""
        values = {name: torch.stack([draw[name] for draw in self._free]) for name in self._free[0]}
        values = {n: self._transforms[n].inv(v) if n in self._transforms else v for n, v in values.items()}
        late = torch.zeros(len(self), dtype=torch.bool)
        late[self._late] = True
        return values, late


class _CutShortError(Exception):
    """A chain ends before its time; on its way out of Pyro's sampler."""


def _cut_short(chains: Chains, chain: _Chain) -> Draws:
    if not chains.number:
        if len(chain) < LEAST:
            raise KeyboardInterrupt(f"Ctrl-C before there were {LEAST} draws after the warm-up")
        chains.add(*chain.draws())
    return chains.together(finished=False)
