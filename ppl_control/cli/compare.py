"""``ppl-control compare``: methods side by side on one or more problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from ppl_control.cli import methods as known
from ppl_control.cli.console import aside, plain, print_json, say, screen
from ppl_control.cli.pictures import draw
from ppl_control.cli.places import require_file, require_folder
from ppl_control.cli.problems import Problem, build, find
from ppl_control.cli.settings import parse_seeds, parse_settings, split
from ppl_control.cli.tables import print_comparison
from ppl_control.comparison import Comparison
from ppl_control.comparison import compare as compare_models
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["compare", "problems_named", "serving"]


def compare(
    model: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="Worked problems (see `ppl-control models`), gymnasium toy-text ids, or Python files that define "
            "model(**settings) or a variable model; a file is code, and it is run.",
        ),
    ],
    methods: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...",
            help=f"Of {', '.join(known.METHODS)}. Default: {', '.join(known.DEFAULTS)}; in continuous worlds also "
            "open_loop.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the models; may be repeated."),
    ] = None,
    seeds: Annotated[
        list[str] | None, typer.Option(metavar="N,...", help="Seeds of fitting; 0:8 are 0 to 7. Default: 0.")
    ] = None,
    steps: Annotated[int | None, typer.Option(metavar="N", help="Steps of SVI. Default: 1000.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    pictures: Annotated[Path | None, typer.Option(metavar="DIR", help="A folder to draw pictures in.")] = None,
    save: Annotated[Path | None, typer.Option(metavar="FILE", help="Write table, seeds and versions (JSON).")] = None,
) -> None:
    """Compare methods: the bound they reach, the return they believe in, the return they get."""
    numbers = parse_seeds("--seeds", seeds or ["0"])
    asked = None if methods is None else split("--methods", methods)
    known.choose(asked or known.DEFAULTS)
    if steps is not None and steps < 1:
        raise ValueError(f"--steps: expected at least 1, got {steps}")
    require_folder("--pictures", pictures)
    require_file("--save", save)
    with aside():
        problems = problems_named(model)
        given = parse_settings(settings or [])
        named = _build(problems, given)
        runs = {name: _methods(name, made, asked, steps) for name, made in named.items()}
        try:
            parts = [compare_models({n: made}, runs[n], seeds=numbers, progress=True) for n, made in named.items()]
        except KeyboardInterrupt:
            hint = "nothing is kept; ppl-control sweep --out FOLDER keeps every run that ended"
            raise KeyboardInterrupt(hint) from None
        result = _together(parts, {"problems": {p.name: plain(_used(p, given)) for p in problems}})
        if save is not None:
            result.save(save)
        drawn = [] if pictures is None else draw(pictures, result, named)
    if as_json:
        print_json(result.as_dict())
    else:
        print_comparison(screen(), result, named)
    for path in drawn:
        say(f"picture: {path}") if as_json else typer.echo(f"picture: {path}")


def problems_named(specs: Sequence[str]) -> list[Problem]:
    """The problems that MODEL arguments name.

    Raises:
        ValueError: one that is none, or that was given twice.
    """
    problems: list[Problem] = []
    for spec in specs:
        problem = find(spec)
        if any(problem.name == other.name for other in problems):
            raise ValueError(f"MODEL: {problem.name} was given twice")
        problems.append(problem)
    return problems


def _build(problems: Sequence[Problem], given: Mapping[str, Any]) -> dict[str, TrajectoryModel]:
    """The models; where there are several, each takes the settings it has, and someone must have each."""
    models: dict[str, TrajectoryModel] = {}
    for name in given:
        having = [p for p in problems if p.open_ended or name in p.settings]
        for problem in problems:
            if having and problem not in having:
                say(f"note: {problem.name} has no setting {name!r}")
    for problem in problems:
        others = [p for p in problems if p is not problem]
        elsewhere = {n for n in given for p in others if p.open_ended or n in p.settings}
        mine = {n: v for n, v in given.items() if problem.open_ended or n in problem.settings or n not in elsewhere}
        models[problem.name] = build(problem, mine)
    return models


def _methods(name: str, model: TrajectoryModel, asked: Sequence[str] | None, steps: int | None) -> dict[str, Any]:
    chosen = known.choose(asked or known.defaults(model))
    if steps is not None:
        chosen = {label: known.shortened(method, steps) for label, method in chosen.items()}
    return serving(name, model, chosen, asked=asked is not None)


def serving(name: str, model: TrajectoryModel, chosen: Mapping[str, Any], *, asked: bool) -> dict[str, Any]:
    """The methods that serve a model; those that do not are an error only if somebody asked for them."""
    kept: dict[str, Any] = {}
    for label, method in chosen.items():
        reason = known.reason_against(method, model)
        if reason is None:
            kept[label] = method
        elif asked:
            raise ValueError(f"--methods: {label} cannot serve {name}: {reason}")
        else:
            say(f"note: {label} is left out for {name}: {' '.join(reason.split())}")
    if not kept:
        raise ValueError(f"--methods: none of {', '.join(chosen)} can serve {name}")
    return kept


def _used(problem: Problem, given: Mapping[str, Any]) -> dict[str, Any]:
    """All settings a problem was made with."""
    mine = {name: value for name, value in given.items() if problem.open_ended or name in problem.settings}
    return {**problem.settings, **mine}


def _together(parts: Sequence[Comparison], more: Mapping[str, Any]) -> Comparison:
    settings: dict[str, Any] = {}
    for part in parts:
        for key, value in part.settings.items():
            settings[key] = {**settings.get(key, {}), **value} if isinstance(value, dict) else value
    table = pd.concat([part.table for part in parts], ignore_index=True)
    runs = tuple(run for part in parts for run in part.runs)
    return replace(parts[0], table=table, settings={**settings, **more}, runs=runs)
