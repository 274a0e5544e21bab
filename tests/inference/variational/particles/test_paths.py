"""Whole trajectories read off the genealogy."""

import math

import pyro
import pytest
import torch

from ppl_control import infer
from ppl_control.inference.variational.particles import ParticlePlanning
from ppl_control.randomness import RandomStream
from tests.brute_force import Path, posterior
from tests.problems import each_problem, label, random_problem


def weights(solution) -> dict[Path, float]:
    """Total weight of each distinct trajectory, in the form of the brute-force computation."""
    guide, found = solution.guide, {}
    columns = guide.states, guide.actions, guide.rewards, guide.alive, guide.log_weights.exp()
    for states, actions, rewards, alive, weight in zip(*(c.tolist() for c in columns), strict=True):
        acted = [a if lives else -1 for a, lives in zip(actions, alive, strict=False)]
        path = Path(tuple(states), tuple(acted), tuple(rewards))
        found[path] = found.get(path, 0.0) + weight
    return found


@pytest.mark.parametrize("problem", each_problem()[::3], ids=label)
@pytest.mark.parametrize("lookahead", [None, "variational"])
def test_weighted_trajectories_are_the_posteriors(problem, lookahead):
    """Resampling at every step, so that a wrong ancestor anywhere would show in impossible trajectories."""
    settings = {"resample_threshold": 1.0, "lookahead": lookahead}
    solution = infer(problem.model(), ParticlePlanning(20_000, **settings), progress=False)
    found, exact = weights(solution), posterior(problem)
    assert found.keys() <= exact.keys()
    assert sum(found.values()) == pytest.approx(1)
    distance = 0.5 * sum(abs(found.get(path, 0.0) - p) for path, p in exact.items())
    assert distance < 0.5 * sum(math.sqrt(p / 20_000) for p in exact.values()) * (
        6 if "lookahead" not in settings else 2
    )


def test_sampled_trajectories_are_silent_after_the_end():
    model = random_problem(1, prior="uniform").model()
    solution = infer(model, ParticlePlanning(256), progress=False)
    with RandomStream(0):
        drawn = solution.guide.sample(400)
        plans = solution.guide.sample_plan(400)
    ended = ~drawn.alive
    assert ended.any()
    assert (drawn.actions[ended] == 0).all()
    assert (drawn.rewards[ended] == 0).all()
    assert (drawn.states[:, :-1][ended] == model.tables.num_states).all()
    assert plans.shape == (400, 3)
    believed = torch.tensor(solution.guide.believed_return)
    assert abs(drawn.returns.mean() - believed) < 4 * drawn.returns.std() / 20


@pytest.mark.parametrize("discount", [1.0, 0.8])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("weighting", ["posterior", "fixed_dynamics"])
def test_the_guide_runs_as_a_program(weighting: str, shared: bool, discount: float):
    """Every site holds what the particle did, which is possible in the model, and the factors add up to its return."""
    model = random_problem(1, prior="closed", shared=shared, discount=discount).model()
    guide = infer(model, ParticlePlanning(64, weighting=weighting), progress=False).guide
    with RandomStream(4):
        for _ in range(10):
            trace = pyro.poutine.trace(guide).get_trace()
            replay = pyro.poutine.trace(pyro.poutine.replay(model, trace)).get_trace()
            total = float(replay.log_prob_sum())
            assert math.isfinite(total)
            if weighting == "posterior":
                particle = trace.nodes["particle"]["value"]
                factors = sum(replay.nodes[f"O_{t}"]["fn"].log_prob(replay.nodes[f"O_{t}"]["value"]) for t in range(3))
                returned = guide.rewards[particle].sum()
                assert float(factors) == pytest.approx(float(returned) / model.temperature)
                assert [int(trace.nodes[f"s_{t}"]["value"]) for t in range(4)] == guide.states[particle].tolist()
