"""The templates run as they are, what their pages claim holds, and the messages and names in the pages are real."""

import ast
import builtins
import importlib.util
import inspect
import math
import re
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium
import gymnasium.wrappers
import numpy as np
import pyro
import pyro.distributions as dist
import pyro.infer
import pytest
import torch
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env

import ppl_control
from ppl_control import (
    SVI,
    MessagePassing,
    SimulatorMDP,
    SoftQLearning,
    SoftValueIteration,
    TabularMDP,
    TrajectoryModel,
    compare,
    evaluate,
    guides,
    infer,
    load,
    policies,
)
from ppl_control.models import hiking

FOLDER = Path(__file__).parents[2] / "notebooks" / "bring_your_own"
TEMPLATES = sorted(FOLDER.glob("*.py"))
LINES = 150


@lru_cache
def template(name: str) -> ModuleType:
    """A template as a module, known to Python by its name, as one that was imported is."""
    spec = importlib.util.spec_from_file_location(f"bring_your_own_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


program, environment, guide, method = (template(path) for path in ("program", "environment", "guide", "method"))


def test_every_template_has_its_page():
    assert [path.stem for path in TEMPLATES] == ["environment", "guide", "method", "program"]
    assert [path.stem for path in sorted(FOLDER.glob("*.md"))] == [path.stem for path in TEMPLATES]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_runs_as_it_is(path: Path, tmp_path: Path):
    ran = subprocess.run([sys.executable, path], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    assert len(ran.stdout.splitlines()) <= 15
    assert not list(tmp_path.iterdir())  # leaves nothing behind
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < LINES
    assert text.count("# yours") >= 2
    assert not re.search(r"\._(?!_)|import _", text)  # nothing private


def rows(comparison: Any) -> dict[str, dict[str, Any]]:
    return {row["method"]: row for row in comparison.as_dict()["rows"]}


# The program


def test_the_show_is_what_everybody_knows():
    model, alpha = program.model(), program.model().temperature
    evidence, honest = program.log_evidence(model), program.honest_optimum(alpha)
    hit = math.log((2 + math.exp(1 / alpha)) / 3)  # wherever the car is, one of three last choices finds it
    assert evidence == pytest.approx(hit, abs=1e-9)
    found = rows(program.comparison(model))
    for row in found.values():
        assert row["bound"] <= evidence + 4 * row["bound_stderr"]
    assert honest - 0.15 < found["honest"]["bound"] <= honest + 4 * found["honest"]["bound_stderr"]
    assert abs(found["honest"]["optimism"]) < 4 * math.hypot(
        found["honest"]["believed_stderr"], found["honest"]["executed_stderr"]
    )
    assert found["honest"]["executed"] == pytest.approx(2 / 3, abs=0.06)
    assert found["optimist"]["believed"] > 0.95
    assert found["optimist"]["executed"] < 2 / 3
    assert found["optimist"]["bound"] > honest + 1


# The environment


def test_the_ferry_and_its_table_are_one_world():
    check_env(environment.Ferry(), skip_render_check=True)
    env, table = environment.Ferry(), environment.model().mdp
    counts = np.zeros((7, 2, 7))
    env.reset(seed=0)
    draws = np.random.default_rng(0)
    for _ in range(4000):
        state, action = env.waiting, int(draws.integers(2))
        after, reward, ended, _, _ = env.step(action)
        assert not ended
        assert reward == pytest.approx(float(table.outcomes.reward[state, action, 0]))
        counts[state, action, after] += 1
    total = counts.sum(-1, keepdims=True)
    p = np.zeros((7, 2, 7))
    for state in range(7):
        for action in range(2):
            for chance, after, _, _ in environment.outcomes(state, action):
                p[state, action, after] += chance
    assert (np.abs(counts - total * p) <= 5 * np.sqrt(total * p * (1 - p)) + 1e-9).all()


def test_what_is_learned_by_playing_comes_near_what_is_exact():
    exact = infer(environment.model(), SoftValueIteration())
    learned = infer(environment.simulator(), SoftQLearning(steps=20_000, episodes=50), progress=False)
    assert float((learned.soft_q - exact.soft_q).abs().max()) < 0.5
    best, found = (evaluate(solution, environment.model()).executed_return for solution in (exact, learned))
    assert found == pytest.approx(best, abs=0.05)
    spread = 4 * learned.log_evidence_bound_stderr
    assert abs(learned.log_evidence_bound - exact.log_evidence_bound) < spread


# The guide


@lru_cache
def hike() -> Any:
    return guide.comparison(hiking.model(), steps=300)


def test_destiny_lies_between_its_neighbours():
    found = rows(hike())
    bounds = {name: row["bound"] for name, row in found.items()}
    assert bounds["fixed dynamics"] < bounds["destiny"] <= bounds["posterior"] + 1e-9
    assert found["destiny"]["gap"] < 0.05
    assert found["destiny"]["optimism"] > 5
    assert found["fixed dynamics"]["optimism"] == pytest.approx(0, abs=1e-9)


def test_without_luck_all_agree():
    found = rows(guide.comparison(hiking.model(noise=0.0), steps=1000))
    for row in found.values():
        assert 0 <= row["gap"] + 1e-9 < 0.02


def test_destiny_is_one_number_a_place_and_keeps_what_cannot_be():
    fitted = hike().runs[1].solution.guide
    model = fitted.model
    learned = [name for name, _ in fitted.named_parameters() if "policy" not in name]
    assert [tuple(fitted.get_parameter(name).shape) for name in learned] == [(model.mdp.num_states,)]
    believed, true = fitted.transition, guides.FixedDynamics().build(model).transition
    assert not bool((believed[true == 0] > 0).any())
    decides = ~model.mdp.terminal
    torch.testing.assert_close(believed.sum(-1)[:, decides], true.sum(-1)[:, decides])


def test_destiny_goes_on_from_a_checkpoint(tmp_path: Path):
    model = hiking.model()
    fit = SVI(guide.Destiny(), steps=6)
    whole = infer(model, fit, progress=False)
    stopped = {"callbacks": [lambda step: step.number == 3], "checkpoint": tmp_path / "run.pt"}
    assert not infer(model, fit, progress=False, **stopped).finished
    again = infer(model, fit, progress=False, checkpoint=tmp_path / "run.pt")
    assert again.log_evidence_bound == whole.log_evidence_bound


# The method


def test_the_first_step_is_the_posterior_and_many_climb_to_the_gambler():
    model = method.model()
    posterior = infer(model, MessagePassing())
    one = infer(model, method.RewardWeightedRegression(steps=1, trials=100_000), progress=False)
    visited = evaluate(posterior, model).believed_states[:-1] > 0.02
    difference = (one.policy.log_table().exp() - posterior.policy.log_table().exp())[visited]
    assert float(difference.abs().max()) < 0.05
    many = infer(model, method.RewardWeightedRegression(), progress=False)
    climbed, summit = many.history["log_success"], method.gamblers_value(model)
    assert climbed[0] == pytest.approx(posterior.log_evidence_bound, abs=0.1)  # of the uniform policy: log Z
    assert climbed[0] < summit - 0.2
    assert climbed[-1] == pytest.approx(summit, abs=0.1)
    best = infer(model, SoftValueIteration()).log_evidence_bound
    for solution in (one, many):
        assert solution.log_evidence_bound <= best <= posterior.log_evidence_bound


def test_the_gamblers_value_is_the_best_of_all_policies():
    """One state and two patches a meal: every policy that looks at reserves, written out for one meal."""
    model = method.model().replaced(horizon=1)
    alpha = model.temperature
    worth = [
        sum(p * math.exp((1.0 if 2 + gain >= method.FULL else -1.0 if 2 + gain <= 0 else 0.0) / alpha)
            for gain, p in chances.items())
        for chances in method.PATCHES.values()
    ]  # fmt: skip
    assert method.gamblers_value(model) == pytest.approx(math.log(max(worth)), abs=1e-12)


def test_the_bound_is_the_elbo_of_the_policy():
    """Against SVI's own, which starts from the policy and reports it before it moves."""
    model = method.model()
    found = infer(model, method.RewardWeightedRegression(steps=1, trials=500), progress=False)
    policy = policies.TabularPolicy(found.policy.log_table().detach())
    fit = SVI(guides.FixedDynamics(policy), steps=1, optimizer="adam")
    before = infer(model, fit, progress=False).history["bound"][0]
    assert found.log_evidence_bound == pytest.approx(before, abs=1e-9)


def test_the_method_keeps_its_seeds_and_its_checkpoints(tmp_path: Path):
    model, search = method.model(), method.RewardWeightedRegression(steps=6, trials=50)
    before = torch.get_rng_state()
    runs = [infer(model, search, seed=seed, progress=False) for seed in (1, 1, 2)]
    assert torch.equal(torch.get_rng_state(), before)
    assert runs[0].log_evidence_bound == runs[1].log_evidence_bound != runs[2].log_evidence_bound
    stopped = {"callbacks": [lambda step: step.number == 3], "checkpoint": tmp_path / "run.pt"}
    half = infer(model, search, seed=1, progress=False, **stopped)
    assert (half.finished, len(half.history["log_success"])) == (False, 3)
    again = infer(model, search, seed=1, progress=False, checkpoint=tmp_path / "run.pt")
    assert torch.equal(again.policy.log_table(), runs[0].policy.log_table())
    assert list(again.history["log_success"]) == list(runs[0].history["log_success"])
    again.save(tmp_path / "found.pt")
    assert load(tmp_path / "found.pt", model).log_evidence_bound == again.log_evidence_bound


# The pages

TWO = torch.ones(2, dtype=torch.float64)


def branching() -> None:
    action = pyro.sample("a_0", dist.Categorical(TWO))
    pyro.deterministic("r_0", action.double() if action > 0 else 0.0 * action)


def continuous() -> None:
    action = pyro.sample("a_0", dist.Categorical(TWO))
    pyro.deterministic("r_0", pyro.sample("s_1", dist.Normal(action.double(), 1.0)))


def pushing() -> None:
    pyro.deterministic("r_0", -(pyro.sample("a_0", dist.Normal(0.0, 1.0)) ** 2))


def written(function: Callable[[], Any], **settings: Any) -> TrajectoryModel:
    return TrajectoryModel.from_program(function, **{"horizon": 1, **settings})


def fitted(model: TrajectoryModel, way: Any, **settings: Any) -> Any:
    return infer(model, way, progress=False, **settings)


def backwards() -> None:
    for t in (5, 0):
        pyro.sample(f"a_{t}", dist.Categorical(torch.ones(4)))


def teleporting() -> None:
    """Believes to be anywhere after one step."""
    anywhere = pyro.param("anywhere", torch.zeros(HIKE.mdp.num_states + 1, dtype=torch.float64))
    pyro.sample("s_1", dist.Categorical(logits=anywhere))


class Picture(environment.Ferry):
    def __init__(self) -> None:
        super().__init__()
        self.observation_space = spaces.Box(0, 255, (8, 8, 3), np.uint8)


class Hidden(environment.Ferry):
    def __init__(self) -> None:
        super().__init__()
        del self.P


class Leaking(environment.Ferry):
    def __init__(self) -> None:
        super().__init__()
        self.P[2][0] = [(0.4, 2, 0.0, False), (0.5, 3, 0.0, False)]


class Straying(environment.Ferry):
    def step(self, action: Any) -> Any:
        return (9, *super().step(action)[1:])


class Unpaid(environment.Ferry):
    def step(self, action: Any) -> Any:
        seen, _, *rest = super().step(action)
        return (seen, math.nan, *rest)


def played(world: Any) -> Any:
    return fitted(TrajectoryModel(SimulatorMDP(world), discount=0.9), SoftQLearning(steps=100))


class Sure(torch.nn.Module):
    def forward(self, state: Any, t: Any = None) -> Any:
        return dist.Categorical(logits=torch.zeros(*state.shape, 4, dtype=torch.float64))


class NoSolution:
    steps = 2
    check, init = method.RewardWeightedRegression.check, method.RewardWeightedRegression.init
    step, finished = method.RewardWeightedRegression.step, method.RewardWeightedRegression.finished


class NoDataclass(NoSolution):
    answer, solution = method.RewardWeightedRegression.answer, method.RewardWeightedRegression.solution


class NoNumber(method.RewardWeightedRegression):
    def step(self, model: Any, state: Any) -> dict[str, float]:
        state.number += 1
        return {"log_success": math.nan}


class Bare:
    number = 0


class Unkept(method.RewardWeightedRegression):
    def init(self, model: Any, seed: int = 0) -> Any:
        return Bare()


def another_run(folder: Path) -> None:
    for trials in (10, 20):
        search = method.RewardWeightedRegression(steps=1, trials=trials)
        fitted(method.model(), search, checkpoint=folder / "run.pt")


HIKE, SHOW, BIRD, FERRY = hiking.model(), program.model(), method.model(), environment.simulator()
# Page → what its reader does wrong, in the order of the page's table.
WRONG: dict[str, list[Callable[[Path], Any]]] = {
    "program": [
        lambda _: written(lambda: pyro.sample("choice", dist.Categorical(TWO))),
        lambda _: written(lambda: pyro.sample("a_0", dist.Categorical(TWO))),
        lambda _: written(program.show),
        lambda _: written(program.show, horizon=2, policy_sees=("door",)),
        lambda _: fitted(written(branching), SVI(steps=1)),
        lambda _: fitted(written(continuous), SVI(guides.Unconstrained(), steps=1)),
        lambda _: fitted(written(pushing), SVI(steps=1)),
        lambda _: fitted(SHOW, MessagePassing()),
    ],
    "environment": [
        lambda _: SimulatorMDP(Picture),
        lambda _: fitted(TrajectoryModel(SimulatorMDP(environment.day()), discount=0.9), SoftQLearning(environments=2)),
        lambda _: fitted(TrajectoryModel(SimulatorMDP(environment.day)), SoftQLearning()),
        lambda _: fitted(FERRY, MessagePassing()),
        lambda _: fitted(FERRY, SVI()),
        lambda _: TabularMDP.from_gymnasium(Hidden()),
        lambda _: TabularMDP.from_gymnasium(Leaking()),
        lambda _: played(Straying),
        lambda _: played(Unpaid),
    ],
    "guide": [
        lambda _: SVI(guide.Destiny),
        lambda _: fitted(HIKE, SVI(lambda: pyro.sample("weather", dist.Categorical(TWO)))),
        lambda _: fitted(HIKE, SVI(backwards)),
        lambda _: fitted(HIKE, SVI(lambda: pyro.param("x"))),
        lambda _: fitted(HIKE, SVI(lambda: pyro.sample("a_0", dist.Categorical(TWO)), estimator="enumerate")),
        lambda _: fitted(HIKE, SVI(teleporting)),
        lambda _: fitted(HIKE, SVI(guides.FixedDynamics(policies.TabularPolicy.uniform(5, 2)))),
        lambda _: fitted(HIKE, SVI(guides.FixedDynamics(Sure()))),
        lambda folder: hike().runs[1].solution.save(folder / "found.pt"),
    ],
    "method": [
        lambda _: fitted(BIRD, method.RewardWeightedRegression),
        lambda _: fitted(BIRD, NoSolution()),
        lambda _: compare(SHOW, {"mine": method.RewardWeightedRegression()}),
        lambda _: fitted(BIRD, NoNumber()),
        another_run,
        lambda folder: fitted(BIRD, NoDataclass(), checkpoint=folder / "run.pt"),
        lambda folder: fitted(BIRD, Unkept(), checkpoint=folder / "run.pt"),
    ],
}


def page(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", WRONG)
def test_messages_in_the_pages_are_those_of_the_library(name: str, tmp_path: Path):
    table = page(name).split("## What goes wrong")[1].split("##")[0]
    messages = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert len(messages) == len(WRONG[name])
    for number, (message, wrong) in enumerate(zip(messages, WRONG[name], strict=True)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(
            Exception, match="(?s)" + ".*?".join(re.escape(part.strip()) for part in message.split("…"))
        ):
            wrong(folder)


@pytest.mark.parametrize("name", WRONG)
def test_names_in_the_pages_are_there(name: str):
    prose = re.sub(r"```.*?```", "", page(name), flags=re.DOTALL)
    prose = prose.replace(prose.split("## What goes wrong")[1].split("##")[0], "")  # messages, tested above
    checked = 0
    for code in re.findall(r"`([^`]+)`", prose):
        if code.endswith(".py"):
            assert (FOLDER / code).is_file()
            continue
        try:
            tree = ast.parse(code, mode="eval")
        except SyntaxError:  # a piece of the command line, an outcome, "s_0, s_1, …"
            continue
        calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            names = dotted(node)
            if not names or not (
                re.match(r"[A-Z][A-Za-z_]{2}", names[0]) or names[0] in ROOTS or names[0] in ppl_control.__all__
            ):
                continue
            found = resolved(names, template(name))
            checked += 1
            if id(node) in calls:
                given = {keyword.arg for keyword in calls[id(node)].keywords}
                assert given <= inspect.signature(found).parameters.keys(), code
    assert checked >= 8


ROOTS = {"gymnasium": gymnasium, "torch": torch, "nn": torch.nn, "pyro": pyro, "poutine": pyro.poutine}


def dotted(node: ast.AST) -> list[str] | None:
    """The parts of a name such as ``guides.FixedDynamics``."""
    if isinstance(node, ast.Name):
        return [node.id]
    before = dotted(node.value) if isinstance(node, ast.Attribute) else None
    return None if before is None else [*before, node.attr]  # type: ignore[attr-defined]


def resolved(names: list[str], own: ModuleType) -> Any:
    """What a name in a page means: of ours, of the template, of gymnasium, torch, Pyro or Python."""
    places = [ppl_control, guides, own, gymnasium, gymnasium.spaces, pyro.infer, builtins]
    found: Any = ROOTS.get(names[0], next((vars(p)[names[0]] for p in places if names[0] in vars(p)), None))
    assert found is not None, names
    for name in names[1:]:
        found = getattr(found, name, None)
        assert found is not None, names
    return found
