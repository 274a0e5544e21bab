"""Every combination of some settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from itertools import product
from typing import Any

from ppl_control.runs import Variant
from ppl_control.settings import shown
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["Grid", "Source", "expand", "source_of_method", "source_of_models"]

Grid = Mapping[str, Sequence[Any]]
OF_MODELS = ("horizon", "temperature", "discount", "action_prior")  # what a finished model can be remade with


@dataclass(frozen=True, eq=False)
class Source:
    """Something that makes models, or methods, with settings.

    Attributes:
        name: what tables call it.
        settings: those that it has; None: it takes any.
        make: called with some of them.
    """

    name: str
    settings: Collection[str] | None
    make: Callable[[dict[str, Any]], Any]

    def has(self, name: str) -> bool:
        """Whether it has a setting."""
        return self.settings is None or name in self.settings


def expand(argument: str, sources: Sequence[Source], grid: Grid) -> list[list[Variant]]:
    """The variants of each source: one for every combination of the settings that it has.

    Args:
        argument: what the grid is called, for errors.
        sources: of models or of methods.
        grid: setting → its values.

    Raises:
        ValueError: a setting without values, or with one given twice, or that no source has.

    Example:
        >>> coin = Source("coin", ["bias"], lambda settings: settings)
        >>> [variant.label for variant in expand("grid", [coin], {"bias": [0.1, 0.5]})[0]]
        ['coin bias=0.1', 'coin bias=0.5']
    """
    if not isinstance(grid, Mapping):
        raise ValueError(f"{argument}: expected setting → values, got {shown(grid)}")
    for name, values in grid.items():
        if isinstance(values, str) or not isinstance(values, Sequence) or not values:
            raise ValueError(f"{argument}: {name}: expected a list of values, got {shown(values)}")
        texts = [repr(value) for value in values]
        twice = [text for i, text in enumerate(texts) if text in texts[:i]]
        if twice:
            raise ValueError(f"{argument}: {name}: {twice[0]} was given twice")
        if not any(source.has(name) for source in sources):
            having = "; ".join(f"{s.name} has {', '.join(s.settings or ()) or 'none'}" for s in sources)
            raise ValueError(f"{argument}: there is no setting {name!r}: {having}")
    return [_variants(source, {name: grid[name] for name in grid if source.has(name)}) for source in sources]


def _variants(source: Source, grid: Grid) -> list[Variant]:
    combinations = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    return [Variant(source.name, source.make(settings), settings) for settings in combinations]


def source_of_models(name: str, given: Any) -> Source:
    """A model, which can be remade with other settings, or a function that makes one."""
    if isinstance(given, TrajectoryModel):
        settings = () if given.mdp is None else OF_MODELS
        return Source(name, settings, lambda some: given.replaced(**some) if some else given)
    if not callable(given):
        raise ValueError(f"models: {name!r} is {shown(given)}, no TrajectoryModel and no function that makes one")
    named = inspect.signature(given).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in named):
        return Source(name, None, lambda some: given(**some))
    return Source(name, [p.name for p in named if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)],
                  lambda some: given(**some))  # fmt: skip


def source_of_method(name: str, given: Any) -> Source:
    """A method, remade with other values of its fields."""
    if not is_dataclass(given) or isinstance(given, type):
        return Source(name, (), lambda some: given)
    return Source(name, [f.name for f in fields(given)], lambda some: replace(given, **some) if some else given)
