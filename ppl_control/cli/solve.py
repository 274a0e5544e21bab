"""``ppl-control solve``: one tabular environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ppl_control.cli.console import aside, end_unfinished, number, print_json, screen
from ppl_control.cli.methods import WITH_VALUES, choose
from ppl_control.cli.places import require_file
from ppl_control.cli.problems import build, find
from ppl_control.cli.settings import literal
from ppl_control.cli.tables import describe, describe_versions
from ppl_control.comparison import versions
from ppl_control.evaluation import evaluate
from ppl_control.guides.tabular import TabularGuide
from ppl_control.inference import Solution, infer

__all__ = ["solve"]

STARTS = 12  # start states shown on the terminal
NUMBERS = (
    ("log_evidence_bound", "log evidence bound", "nats"),
    ("error_bound", "error bound of the values", "reward"),
    ("believed_return", "believed return", "reward"),
    ("executed_return", "executed return", "reward"),
    ("optimism", "optimism", "reward"),
    ("episode_return", "episode return, undiscounted", "reward"),
    ("entropy", "entropy of the policy", "nats"),
)


def solve(
    env_id: Annotated[
        str,
        typer.Argument(
            metavar="ENV_ID",
            help="A gymnasium toy-text id, e.g. FrozenLake-v1, a worked problem of tables, or a Python file that "
            "defines model; a file is code, and it is run.",
        ),
    ],
    horizon: Annotated[
        str | None, typer.Option(metavar="T", help="Decisions, or 'none': until done. Default: the time limit.")
    ] = None,
    temperature: Annotated[float | None, typer.Option(metavar="ALPHA", help="Reward per nat. Default: 1.")] = None,
    discount: Annotated[float | None, typer.Option(metavar="GAMMA", help="Survival of a step. Default: 1.")] = None,
    action_prior: Annotated[
        str | None, typer.Option(metavar="PRIOR", help="'counting' or 'uniform'. Default: counting.")
    ] = None,
    method: Annotated[str, typer.Option(metavar="NAME", help=f"Of {', '.join(WITH_VALUES)}.")] = "soft_value_iteration",
    seed: Annotated[int, typer.Option(help="Seed of methods that sample.")] = 0,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For methods in steps: kept now and then; one is resumed.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    save: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the solution for ppl_control.load.")] = None,
) -> None:
    """Solve one tabular environment: bound, values and policy at the start, returns.

    Ctrl-C ends a method in steps after the one in flight: what was found is reported and saved; exit code 130.
    """
    (label, chosen), *_ = choose([method]).items()
    if label not in WITH_VALUES:
        raise ValueError(f"--method: {label} gives no values of states; use `ppl-control compare {env_id}`")
    require_file("--save", save)
    given: dict[str, Any] = {"temperature": temperature, "discount": discount}
    given = {name: value for name, value in given.items() if value is not None}
    if horizon is not None:
        given["horizon"] = None if horizon.lower() == "none" else literal(horizon)
        if given["horizon"] is not None and not isinstance(given["horizon"], int):
            raise ValueError(f"--horizon: expected a number of decisions or 'none', got {horizon!r}")
    if action_prior is not None:
        given["action_prior"] = None if action_prior in ("counting", "none") else action_prior
    with aside():
        model = build(find(env_id), given)
        if not model.is_tabular:
            raise ValueError(f"ENV_ID: {env_id} has no tables; use `ppl-control compare {env_id}`")
        solution = infer(model, chosen, seed=seed, checkpoint=checkpoint, title=f"{env_id}: {label}")
        if save is not None:
            solution.save(save)
        found = _report(env_id, label, solution)
    if as_json:
        print_json(found)
    else:
        _print(screen(), found, describe(model))
    if not solution.finished:
        end_unfinished(checkpoint)


def _report(env_id: str, label: str, solution: Solution) -> dict[str, Any]:
    model, result = solution.model, evaluate(solution, solution.model)
    return {
        "environment": env_id,
        "method": label,
        "exact": solution.exact,
        "finished": solution.finished,
        "horizon": model.horizon,
        "temperature": solution.temperature,
        "discount": model.discount,
        "action_prior": model.action_prior,
        "log_evidence_bound": solution.log_evidence_bound,
        "log_evidence_bound_stderr": solution.log_evidence_bound_stderr,
        "error_bound": solution.error_bound,
        "believed_return": result.believed_return,
        "executed_return": result.executed_return,
        "optimism": result.optimism,
        "episode_return": result.episode_return,
        "entropy": result.entropy,
        "start": _start(solution),
        "versions": versions(),
    }


@torch.no_grad()
def _start(solution: Solution) -> list[dict[str, Any]]:
    """The states in which the world may start: p(s₀), value and policy at the first decision."""
    mdp, guide = solution.model.mdp, solution.guide
    assert mdp is not None
    assert isinstance(guide, TabularGuide)
    assert isinstance(solution.soft_value, torch.Tensor)
    timed = solution.model.horizon is not None
    policy = guide.tables().policy.exp()
    policy, value = (policy[0], solution.soft_value[0]) if timed else (policy, solution.soft_value)
    return [
        {
            "state": mdp.state_names[s],
            "probability": float(mdp.initial[s]),
            "value": float(value[s]),
            "policy": dict(zip(mdp.action_names, policy[s].tolist(), strict=True)),
        }
        for s in (mdp.initial > 0).nonzero()[:, 0].tolist()
    ]


def _print(console: Console, found: dict[str, Any], description: str) -> None:
    console.print(f"[bold]{escape(found['environment'])}[/bold]  {escape(description)}")
    console.print(f"{found['method']}{', exact' if found['exact'] else ''}\n")
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    for key, words, unit in NUMBERS:
        small = key == "error_bound" and found[key] > 0
        table.add_row(words, f"{found[key]:.1e}" if small else number(found[key], found["believed_return"]), unit)
    console.print(table)
    actions = list(found["start"][0]["policy"])
    starts = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    starts.add_column("start", no_wrap=True)
    for header in ("p(s₀)", "value", *(escape(f"π({action})") for action in actions)):
        starts.add_column(header, justify="right", no_wrap=True)
    for start in found["start"][:STARTS]:
        chances = [number(p) for p in start["policy"].values()]
        starts.add_row(escape(start["state"]), number(start["probability"]), number(start["value"]), *chances)
    console.print(starts)
    if len(found["start"]) > STARTS:
        console.print(f"[dim]… and {len(found['start']) - STARTS} more start states; --json lists all[/dim]")
    console.print(f"[dim]{describe_versions(found['versions'])}[/dim]", soft_wrap=True)
