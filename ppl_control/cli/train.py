"""``ppl-control train``: learn to act in a gymnasium environment that can only be sampled."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ppl_control.callbacks import Evaluations, TensorBoard
from ppl_control.cli.console import aside, end_unfinished, number, print_json, say, screen
from ppl_control.cli.places import require_file, require_folder
from ppl_control.cli.settings import parse_settings
from ppl_control.cli.tables import describe_versions
from ppl_control.comparison import versions
from ppl_control.evaluation import Evaluation, evaluate
from ppl_control.inference import SoftActorCritic, SoftPolicyGradient, SoftQLearning, Solution, infer
from ppl_control.mdp import SimulatorMDP
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["train"]

METHODS: dict[str, Any] = {
    "sac": SoftActorCritic,
    "soft_q": SoftQLearning,
    "policy_gradient": SoftPolicyGradient,
}
EVALUATIONS = 10  # during a run


def train(
    method: Annotated[str, typer.Argument(metavar="METHOD", help=f"Of {', '.join(METHODS)}.")],
    env_id: Annotated[str, typer.Argument(metavar="ENV_ID", help="A gymnasium id, e.g. Pendulum-v1.")],
    steps: Annotated[int | None, typer.Option(metavar="N", help="Environment steps. Default: the method's.")] = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the method, e.g. learning_rate=1e-3."),
    ] = None,
    temperature: Annotated[float, typer.Option(metavar="ALPHA", help="Reward per nat, where it is not learned.")] = 1.0,
    discount: Annotated[float, typer.Option(metavar="GAMMA", help="Survival of a step.")] = 0.99,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    episodes: Annotated[int, typer.Option(metavar="N", help="Episodes of an evaluation.")] = 10,
    device: Annotated[str | None, typer.Option(metavar="DEVICE", help="cpu or cuda.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Kept now and then; an existing one is resumed.")
    ] = None,
    log: Annotated[Path | None, typer.Option(metavar="DIR", help="TensorBoard's event files.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    save: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the solution for ppl_control.load.")] = None,
) -> None:
    """Train a soft actor-critic, soft Q-learning or a soft policy gradient, evaluating on the way.

    Ctrl-C ends the run after the step in flight: what was learned is reported and saved; exit code 130.
    """
    if method not in METHODS:
        raise ValueError(f"METHOD: {method!r} is none of {', '.join(METHODS)}")
    require_file("--save", save)
    require_folder("--log", log)
    with aside():
        chosen = _chosen(method, steps, parse_settings(given or []))
        model = TrajectoryModel(SimulatorMDP(env_id), temperature=temperature, discount=discount)
        chosen.check(model)
        total = chosen.number_of_steps(model) if hasattr(chosen, "number_of_steps") else chosen.steps
        seen = Evaluations(model, every=max(1, total // EVALUATIONS), episodes=episodes, seed=seed + 1)
        callbacks: list[Any] = [seen]
        if log is not None:
            callbacks.append(TensorBoard(log, seen))
        solution = infer(
            model,
            chosen,
            seed=seed,
            device=device,
            callbacks=callbacks,
            checkpoint=checkpoint,
            title=f"{method} {env_id}",
        )
        if save is not None:
            solution.save(save)
            say(f"solution: {save}")
        result = evaluate(solution, model, episodes=max(2, episodes), seed=seed + 2, deterministic=True)
        found = _report(method, env_id, solution, result, seen)
    if as_json:
        print_json(found)
    else:
        _print(screen(), found)
    if not solution.finished:
        end_unfinished(checkpoint)


def _chosen(method: str, steps: int | None, settings: dict[str, Any]) -> Any:
    if steps is not None and "steps" in settings:
        raise ValueError(f"--set: steps={settings['steps']!r} was given by --steps {steps} already")
    settings = settings if steps is None else settings | {"steps": steps}
    kind = METHODS[method]
    known = list(kind.__dataclass_fields__)
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise ValueError(f"--set: {method} has no setting {unknown[0]!r}; it has {', '.join(known)}")
    return replace(kind(), **settings)


def _report(method: str, env_id: str, solution: Solution, result: Evaluation, seen: Evaluations) -> dict[str, Any]:
    return {
        "environment": env_id,
        "method": method,
        "settings": repr(solution.method),
        "finished": solution.finished,
        "temperature": solution.temperature,
        "log_evidence_bound": solution.log_evidence_bound,
        "log_evidence_bound_stderr": solution.log_evidence_bound_stderr,
        "episode_return": result.episode_return,
        "episode_return_stderr": result.episode_return_stderr,
        "best_return": seen.best_return if seen.history else math.nan,
        "evaluations": [{"step": n, "return": mean, "stderr": stderr} for n, mean, stderr in seen.history],
        "versions": versions(),
    }


def _print(console: Console, found: dict[str, Any]) -> None:
    console.print(f"[bold]{escape(found['environment'])}[/bold]  {escape(found['method'])}\n")
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for words, value, spread in (
        ("return of an episode, deterministic", "episode_return", "episode_return_stderr"),
        ("best evaluation on the way", "best_return", None),
        ("log evidence bound, nats", "log_evidence_bound", "log_evidence_bound_stderr"),
        ("temperature reached", "temperature", None),
    ):
        table.add_row(words, number(found[value]), "" if spread is None else f"± {number(found[spread])}")
    console.print(table)
    for row in found["evaluations"]:
        console.print(f"[dim]step {row['step']:>8}  return {number(row['return'])} ± {number(row['stderr'])}[/dim]")
    console.print(f"[dim]{describe_versions(found['versions'])}[/dim]", soft_wrap=True)
