"""``ppl-control sweep``: methods × models × seeds × settings, kept on disk, here or on a cluster."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import cloudpickle
import typer

from ppl_control.cli import methods as known
from ppl_control.cli.compare import problems_named, serving
from ppl_control.cli.console import aside, print_json, say, screen
from ppl_control.cli.places import require_file, require_folder
from ppl_control.cli.problems import Problem, build
from ppl_control.cli.settings import parse_grid, parse_seeds, split
from ppl_control.cli.tables import print_comparison
from ppl_control.comparison import ERROR
from ppl_control.runs import Plan, Variant
from ppl_control.sweeps import Grid, Source, expand, source_of_method, swept

__all__ = ["sweep"]


def sweep(
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
        typer.Option(metavar="NAME,...", help=f"Of {', '.join(known.METHODS)}. Default: as in `compare`."),
    ] = None,
    seeds: Annotated[
        list[str] | None, typer.Option(metavar="N,...", help="Seeds of fitting; 0:8 are 0 to 7. Default: 0.")
    ] = None,
    model_settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE,...", help="Values of a setting of the models; may be repeated."),
    ] = None,
    method_settings: Annotated[
        list[str] | None,
        typer.Option(
            "--method-set",
            metavar="NAME=VALUE,...",
            help="Values of a setting of the methods, e.g. learning_rate=0.03,0.1; may be repeated.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", help="Runs at a time. Default: 1; with --address as many as find room."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="A Ray cluster to run on, e.g. auto or HOST:6379. Default: this machine."),
    ] = None,
    threads: Annotated[int, typer.Option(metavar="N", help="Threads of a run.")] = 1,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Keep each run in a file of its own; repeat the command to go on."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    save: Annotated[Path | None, typer.Option(metavar="FILE", help="Write table, seeds and versions (JSON).")] = None,
) -> None:
    """Run every method on every model with every seed and setting; runs that ended are never made again."""
    if workers is None and address is None:
        workers = 1
    require_file("--save", save)
    require_folder("--out", out)
    with aside():
        problems = problems_named(model)
        pairs = _pairs(
            problems,
            parse_grid("--set", model_settings or []),
            None if methods is None else split("--methods", methods),
            parse_grid("--method-set", method_settings or []),
        )
        plan = Plan(pairs, parse_seeds("--seeds", seeds or ["0"]), threads=threads)
        with _travelling([Path(spec).resolve().parent for spec in model if Path(spec).is_file()]):
            result = swept(plan, workers=workers, address=address, folder=out)
    if save is not None:
        result.save(save)
    if as_json:
        print_json(result.as_dict())
    else:
        print_comparison(screen(), result, {variant.label: variant.made for variant, _ in plan.pairs})
    failed = result.table.loc[result.table[ERROR] != ""]
    for row in failed.to_dict("records"):
        say(f"failed: {row['method']} on {row['model']}, seed {row['seed']}: {row[ERROR]}")
    if len(failed):
        if out is not None:
            say(f"note: errors of runs are kept; remove {out / '*.failed.json'}, and they are made again")
        raise typer.Exit(1)


def _pairs(
    problems: Sequence[Problem], of_models: Grid, asked: Sequence[str] | None, of_methods: Grid
) -> list[tuple[Variant, list[Variant]]]:
    """Every variant of the problems, with the variants of the methods that serve it."""
    sources = [Source(p.name, None if p.open_ended else list(p.settings), _maker(p)) for p in problems]
    models = [variant for variants in expand("--set", sources, of_models) for variant in variants]
    for name in of_models:
        for source in sources:
            if not source.has(name):
                say(f"note: {source.name} has no setting {name!r}")
    names = {variant: list(asked or known.defaults(variant.made)) for variant in models}
    chosen = known.choose(list(dict.fromkeys(name for some in names.values() for name in some)))
    expanded = expand("--method-set", [source_of_method(*entry) for entry in chosen.items()], of_methods)
    variants = dict(zip(chosen, expanded, strict=True))
    pairs = []
    for variant, some in names.items():
        mine = {v.label: v for name in known.choose(some) for v in variants[name]}
        kept = serving(variant.label, variant.made, {n: v.made for n, v in mine.items()}, asked=asked is not None)
        pairs.append((variant, [mine[label] for label in kept]))
    return pairs


def _maker(problem: Problem) -> Any:
    return lambda settings: build(problem, settings)


@contextmanager
def _travelling(folders: Sequence[Path]) -> Iterator[None]:
    """Workers cannot import a file of the user's own, nor its neighbours: what stands in them is sent whole."""
    modules = [m for m in sys.modules.values() if Path(getattr(m, "__file__", None) or "/").parent in folders]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)
