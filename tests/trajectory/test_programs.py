"""What a user's program may do: latent sites, plates, branches, continuous values, roles of its own."""

import math

import pyro
import pytest
import torch
from pyro.distributions import Bernoulli, Binomial, Categorical, Delta, Normal
from torch import nn

from ppl_control import SVI, TrajectoryModel, evaluate, infer
from ppl_control.guides import FixedDynamics, Unconstrained
from ppl_control.policies import CategoricalMLP

FLAT = torch.zeros(2, dtype=torch.float64)
EVEN = Categorical(logits=FLAT)


def coins(temperature: float = 1.0, **settings) -> TrajectoryModel:
    """A hidden coin is tossed; the action that matches it earns 1."""

    def program():
        coin = pyro.sample("coin", Categorical(torch.tensor([0.3, 0.7], dtype=torch.float64)))
        pyro.sample("s_0", Categorical(torch.ones(1, dtype=torch.float64)))
        action = pyro.sample("a_0", EVEN)
        pyro.deterministic("r_0", (action == coin).double())

    return TrajectoryModel.from_program(program, horizon=1, temperature=temperature, **settings)


def log_mean_exp(*terms: float) -> float:
    return math.log(sum(math.exp(x) for x in terms) / len(terms))


METHOD = {"steps": 150, "learning_rate": 0.1, "particles": 128}


@pytest.mark.parametrize(
    ("recipe", "sees", "expected"),
    [
        # E[r] is 0.3 or 0.7 where the coin is hidden, and 1 where it is seen.
        (FixedDynamics(), ("state",), log_mean_exp(0.3, 0.7)),
        (FixedDynamics(), ("state", "latent"), log_mean_exp(0.0, 1.0)),
        (FixedDynamics(), ("s", "coin"), log_mean_exp(0.0, 1.0)),
        (Unconstrained(), ("state", "latent"), log_mean_exp(0.0, 1.0)),
    ],
    ids=["blind", "seeing", "by_name", "willing"],
)
def test_a_policy_sees_what_it_is_told(recipe, sees: tuple[str, ...], expected: float):
    solution = infer(coins(policy_sees=sees), SVI(recipe, **METHOD), progress=False)
    assert abs(solution.log_evidence_bound - expected) < 0.005 + 4 * solution.log_evidence_bound_stderr


def test_unconstrained_learns_the_latent_too():
    """Blind, it wills the coin: q(coin) leaves the prior towards the side that pays."""
    solution = infer(coins(temperature=0.1), SVI(Unconstrained(), **METHOD), progress=False)
    report = evaluate(solution, coins(temperature=0.1), episodes=4000)
    assert report.believed_return > 0.9
    assert report.executed_return < 0.75
    fixed = infer(coins(temperature=0.1), SVI(FixedDynamics(), **METHOD), progress=False)
    assert abs(evaluate(fixed, coins(), episodes=4000).optimism) < 0.1


def test_plates_of_the_program_s_own():
    """Three coins at once, and one action for each: rewards are summed over the plate."""

    def program():
        with pyro.plate("coins", 3):
            state = pyro.sample("s_0", Categorical(torch.tensor([0.3, 0.7], dtype=torch.float64)))
            action = pyro.sample("a_0", EVEN)
            pyro.deterministic("r_0", (action == state).double())

    model = TrajectoryModel.from_program(program, horizon=1)
    for estimator in ("score", "pyro"):
        method = SVI(estimator=estimator, **METHOD)
        solution = infer(model, method, progress=False)
        bound, error = solution.log_evidence_bound, solution.log_evidence_bound_stderr
        assert abs(bound - 3 * log_mean_exp(0.0, 1.0)) < 0.02 + 4 * error
    report = evaluate(solution, model, episodes=4000)
    best = 3 * math.e / (1 + math.e)
    assert abs(report.executed_return - best) < 0.05 + 4 * report.executed_return_stderr
    assert solution.sample(5).states.shape == (5, 1, 3)


@pytest.mark.parametrize(
    "prior",
    [
        Categorical(torch.tensor([0.49, 0.42, 0.09], dtype=torch.float64)),
        Categorical(torch.tensor([0.49, 0.42, 0.09], dtype=torch.float64)).mask(True),
        Binomial(2, torch.tensor(0.3, dtype=torch.float64)),
    ],
    ids=lambda prior: type(prior).__name__,
)
def test_unconstrained_learns_any_finite_state(prior):
    def program():
        state = pyro.sample("s_0", prior)
        action = pyro.sample("a_0", EVEN)
        pyro.deterministic("r_0", (state * action).double())

    model = TrajectoryModel.from_program(program, horizon=1)
    solution = infer(model, SVI(Unconstrained(), **METHOD), progress=False)
    luck = zip((0.49, 0.42, 0.09), range(3), strict=True)
    evidence = math.log(sum(p * (1 + math.exp(s)) / 2 for p, s in luck))
    assert abs(solution.log_evidence_bound - evidence) < 0.01 + 4 * solution.log_evidence_bound_stderr


def branching() -> TrajectoryModel:
    """A walk that goes on by the toss of a coin, in plain Python control flow."""

    def program():
        for t in range(3):
            going = pyro.sample(f"s_{t}", Bernoulli(torch.tensor(0.5, dtype=torch.float64)))
            if going == 0:
                return
            action = pyro.sample(f"a_{t}", EVEN)
            pyro.deterministic(f"r_{t}", action.double())

    return TrajectoryModel.from_program(program, horizon=3, batched=False)


def test_programs_that_branch():
    model = branching()
    solution = infer(model, SVI(steps=40, learning_rate=0.3, particles=8), progress=False)
    # V = ½ (log ½(1 + e) + V'), three steps deep.
    step = log_mean_exp(0.0, 1.0)
    expected = step * (0.5 + 0.25 + 0.125)
    assert abs(solution.log_evidence_bound - expected) < 0.02 + 4 * solution.log_evidence_bound_stderr
    report = evaluate(solution, model, episodes=200)
    truth = math.e / (1 + math.e) * 0.875
    assert abs(report.executed_return - truth) < 0.05 + 4 * report.executed_return_stderr


def test_a_branching_program_told_to_be_batched_is_refused_with_advice():
    def program():
        going = pyro.sample("s_0", Bernoulli(0.5))
        action = pyro.sample("a_0", EVEN)
        pyro.deterministic("r_0", 1.0 * action if going == 1 else 0.0 * action)

    model = TrajectoryModel.from_program(program, horizon=1)
    with pytest.raises(ValueError, match="batched=False"):
        infer(model, SVI(steps=1), progress=False)


class Gaussian(nn.Module):
    """q(a|s) = N(mean, width²), whatever the state, a single number."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros((), dtype=torch.float64))
        self.log_width = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, state: torch.Tensor, t=None) -> Normal:
        return Normal(self.mean.expand(state.shape), self.log_width.exp())


@pytest.mark.parametrize("estimator", ["score", "pyro"])
def test_continuous_actions(estimator: str):
    """Prior N(0, 1) and reward −½(a − 2)²: the posterior is N(1, ½), and log Z = −1 − ½ log 2."""

    def program():
        state = pyro.sample("s_0", Normal(FLAT[0], 1.0))
        action = pyro.sample("a_0", Normal(0 * state, 1.0))
        pyro.deterministic("r_0", -0.5 * (action - 2) ** 2)

    model = TrajectoryModel.from_program(program, horizon=1)
    settings = {"steps": 400, "learning_rate": 0.03, "particles": 64, "estimator": estimator}
    solution = infer(model, SVI(FixedDynamics(Gaussian()), **settings), progress=False)
    expected = -1 - 0.5 * math.log(2)
    assert abs(solution.log_evidence_bound - expected) < 0.02 + 4 * solution.log_evidence_bound_stderr
    assert float(solution.policy.mean.detach()) == pytest.approx(1.0, abs=0.1)
    assert float(solution.policy.log_width.detach().exp() ** 2) == pytest.approx(0.5, abs=0.1)


def test_continuous_states_get_a_network():
    """The action that has the state's sign pays 1."""

    def program():
        state = pyro.sample("s_0", Normal(FLAT[0], 1.0))
        action = pyro.sample("a_0", EVEN)
        pyro.deterministic("r_0", (action == (state > 0)).double())

    model = TrajectoryModel.from_program(program, horizon=1, temperature=0.2)
    solution = infer(model, SVI(steps=200, learning_rate=0.02), progress=False)
    assert isinstance(solution.policy, CategoricalMLP)
    assert evaluate(solution, model).executed_return > 0.9


def test_names_of_one_s_own_and_deterministic_transitions():
    def program():
        place = pyro.sample("place_0", Categorical(torch.ones(2, dtype=torch.float64)))
        move = pyro.sample("move_0", EVEN)
        place = pyro.sample("place_1", Delta((place + move) % 2))
        pyro.deterministic("gain_0", place.double())

    roles = {"place_*": "state", "move_*": "action", "gain_*": "reward"}
    model = TrajectoryModel.from_program(program, horizon=1, roles=roles)
    solution = infer(model, SVI(steps=200), progress=False)
    assert solution.log_evidence_bound == pytest.approx(log_mean_exp(0.0, 1.0), abs=0.02)
    assert solution.sample(7).states.shape == (7, 2)
    with pytest.raises(ValueError, match=r"place_1.*not finite"):
        infer(model, SVI(Unconstrained()), progress=False)
