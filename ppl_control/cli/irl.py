"""``ppl-control irl``: the reward of a problem, read from behaviour."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ppl_control.cli.console import aside, end_interrupted, number, print_json, say, screen
from ppl_control.cli.problems import Problem, build, find
from ppl_control.cli.settings import parse_settings, split
from ppl_control.cli.tables import describe, describe_versions
from ppl_control.comparison import versions
from ppl_control.inference import SoftValueIteration, Solution, infer
from ppl_control.inverse import BehaviourCloning, MaxEntIRL, Reward, RewardFit, TabularReward, report
from ppl_control.randomness import check_seed
from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["irl"]

OBJECTIVES = ("conditional", "dual", "trajectory")
FORMS = ("state", "state_action", "outcome")
L2 = 1e-3  # of tables, of which many explain the same behaviour: the smallest is taken
SHOWN = 20  # parameters on a terminal


def irl(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A worked problem, a gymnasium toy-text id, or a Python file that defines model and, if it likes, "
            "reward and demonstrations; a file is code, and it is run.",
        ),
    ],
    objective: Annotated[
        list[str] | None, typer.Option(metavar="NAME,...", help=f"Of {', '.join(OBJECTIVES)}. Default: conditional.")
    ] = None,
    demonstrations: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Trajectories to simulate. Default: those recorded, where there are any, or 1000."
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--reward", metavar="FORM", help=f"A table: {', '.join(FORMS)}. Default: the problem's own."),
    ] = None,
    l2: Annotated[
        float | None, typer.Option(metavar="LAMBDA", help=f"Penalty ½ λ |ψ|², nats. Default: 0; {L2:g} for tables.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of the model; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of simulated demonstrations.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Learn a tabular problem's reward from behaviour: recorded, or simulated from its soft-optimal policy.

    Ctrl-C ends the fit after the step in flight: what was found is reported, nothing more is fitted; exit code 130.
    """
    names = split("--objective", objective or ["conditional"])
    for name in names:
        if name not in OBJECTIVES:
            raise ValueError(f"--objective: {name!r} is none of {', '.join(OBJECTIVES)}")
    if form is not None and form not in FORMS:
        raise ValueError(f"--reward: {form!r} is none of {', '.join(FORMS)}")
    if demonstrations is not None and demonstrations < 1:
        raise ValueError(f"--demonstrations: expected at least 1, got {demonstrations}")
    check_seed(seed, "--seed")
    with aside():
        problem = find(model)
        built = build(problem, parse_settings(settings or []))
        if not built.is_tabular:
            raise ValueError(f"MODEL: {problem.name} is no table; in Python, SampledMaxEntIRL serves simulators")
        reward = _reward(problem, built, form)
        penalty = (L2 if isinstance(reward, TabularReward) else 0.0) if l2 is None else l2
        demonstrator, behaviour = _behaviour(problem, built, demonstrations, seed)
        fits: dict[str, RewardFit] = {}
        for name in names:
            fits[name] = MaxEntIRL(reward, name, l2=penalty).fit(built, behaviour)  # type: ignore[arg-type]
            if not fits[name].finished:
                break
            if not fits[name].converged:
                say(f"note: {name} has not converged: its gradient is {fits[name].gradient:.1e} nats")
        found = _found(
            problem.name, built, fits, penalty, "recorded" if demonstrator is None else f"simulated, seed {seed}"
        )
        finished = all(fit.finished for fit in fits.values())
        if demonstrator is not None and finished:
            rivals: dict[str, Any] = {**fits, "behaviour cloning": BehaviourCloning().fit(built, behaviour)}
            found["report"] = report(built, demonstrator, rivals).reset_index().to_dict("records")
    if as_json:
        print_json(found)
    else:
        _print(screen(), found, built)
    if not finished:
        end_interrupted("the fits above are as far as they came; there is no report, and the same command begins anew")


def _reward(problem: Problem, model: TrajectoryModel, form: Any) -> Reward:
    if form is None and problem.reward is not None:
        reward = problem.reward()
        if not isinstance(reward, Reward):
            raise ValueError(f"MODEL: the reward of {problem.name} is no reward model, but {reward!r}")
        return reward
    return TabularReward(model.mdp.num_states, model.mdp.num_actions, form or "state_action")


def _behaviour(problem: Problem, model: TrajectoryModel, n: int | None, seed: int) -> tuple[Solution | None, Any]:
    """The demonstrator, where it is known, and what it did."""
    if n is None and problem.demonstrations is not None:
        return None, problem.demonstrations()
    demonstrator = infer(model, SoftValueIteration())
    if not demonstrator.finished:
        raise KeyboardInterrupt("the demonstrator was still being solved")
    return demonstrator, demonstrator.sample(n or 1000, seed=seed)


def _found(name: str, model: TrajectoryModel, fits: dict[str, RewardFit], l2: float, source: str) -> dict[str, Any]:
    counts = next(iter(fits.values())).counts
    return {
        "model": name,
        "demonstrations": {
            "source": source,
            "trajectories": counts.trajectories,
            "decisions": counts.num_decisions,
        },
        "l2": l2,
        "fits": [
            {
                "objective": objective,
                "log_likelihood": fit.log_likelihood,
                "objective_value": fit.objective_value,
                "converged": fit.converged,
                "finished": fit.finished,
                "evaluations": fit.evaluations,
                "seconds": fit.seconds,
                "parameters": fit.summary().reset_index().to_dict("records"),
            }
            for objective, fit in fits.items()
        ],
        "versions": versions(),
    }


def _print(console: Console, found: dict[str, Any], model: TrajectoryModel) -> None:
    seen = found["demonstrations"]
    console.print(f"[bold]{escape(found['model'])}[/bold]  {escape(describe(model))}")
    console.print(f"{seen['trajectories']:g} trajectories, {seen['decisions']:g} decisions, {seen['source']}\n")
    for fit in found["fits"]:
        console.print(
            f"[bold]{fit['objective']}[/bold]  log-likelihood {number(fit['log_likelihood'])} nats, "
            f"{fit['evaluations']} evaluations in {fit['seconds']:.2f} s"
        )
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        for column in ("parameter", "estimate", "std. error", "from scores", "robust"):
            table.add_column(column, justify="left" if column == "parameter" else "right")
        for row in fit["parameters"][:SHOWN]:
            name, *numbers = row.values()
            table.add_row(escape(str(name)), *(number(value) for value in numbers))
        console.print(table)
        if (more := len(fit["parameters"]) - SHOWN) > 0:
            console.print(f"[dim]and {more} more; --json has them all[/dim]\n")
    if "report" in found:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        for column in ("", "policy distance", "occupancy distance", "executed return", "reward correlation"):
            table.add_column(column, justify="right" if column else "left")
        for row in found["report"]:
            columns = ("policy_distance", "occupancy_distance", "executed_return", "reward_correlation")
            table.add_row(str(row["name"]), *(number(row[column]) for column in columns))
        console.print(table)
    console.print(f"[dim]{describe_versions(found['versions'])}[/dim]", soft_wrap=True)
