"""Programs and roles that do not fit each other: said when the model is made."""

import math

import pyro
import pytest
import torch
from pyro.distributions import Categorical, Normal

from ppl_control import SVI, TrajectoryModel, evaluate, infer
from ppl_control.guides import FixedDynamics
from ppl_control.policies import TabularPolicy

EVEN = Categorical(logits=torch.zeros(2, dtype=torch.float64))


def program():
    pyro.sample("s_0", EVEN)
    for t in range(2):
        action = pyro.sample(f"a_{t}", EVEN)
        pyro.deterministic(f"r_{t}", action.double())
        pyro.sample(f"s_{t + 1}", EVEN)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"horizon": None}, "horizon"),
        ({"horizon": 0}, "horizon"),
        ({"horizon": 1}, "horizon: 1 decisions, but the program has"),
        ({"temperature": -1.0}, "temperature"),
        ({"roles": {"s_*": "place", "a_*": "action"}}, r"roles\['s_\*'\] is 'place': expected one of"),
        ({"roles": {"s_*": "state", "a_*": "action", "z_*": "latent"}}, r"roles\['z_\*'\].*no such site.*s_0"),
        ({"roles": {"s_*": "action", "a_*": "action"}}, "one action a step"),
        ({"roles": {"s_*": "state", "a_*": "latent"}}, "no site is an action"),
        ({"policy_sees": ("weather",)}, "policy_sees: 'weather' is no role and no family"),
    ],
)
def test_settings_that_do_not_fit(settings: dict, match: str):
    with pytest.raises(ValueError, match=match):
        TrajectoryModel.from_program(program, **({"horizon": 2} | settings))


def test_policies_are_needed_where_none_suggests_itself():
    def continuous():
        pyro.sample("s_0", EVEN)
        pyro.deterministic("r_0", -(pyro.sample("a_0", Normal(0.0, 1.0)) ** 2))

    model = TrajectoryModel.from_program(continuous, horizon=1)
    with pytest.raises(ValueError, match=r"policy.*a_0.*not finite"):
        infer(model, SVI(steps=1), progress=False)


def test_a_policy_of_torch_s_own_distributions_is_told_apart():
    class Plain(torch.nn.Linear):
        def forward(self, state, t=None):
            return torch.distributions.Normal(self.bias.expand(state.shape), 1.0)

    def continuous():
        pyro.sample("s_0", EVEN)
        pyro.deterministic("r_0", -(pyro.sample("a_0", Normal(0.0, 1.0)) ** 2))

    model = TrajectoryModel.from_program(continuous, horizon=1)
    with pytest.raises(ValueError, match=r"pyro\.distributions"):
        infer(model, SVI(FixedDynamics(Plain(1, 1)), steps=1), progress=False)


def test_a_site_that_appears_later_is_unknown_to_the_guide():
    """Probing met one branch only; the guide says which site it has no belief about."""
    from ppl_control.guides import Unconstrained

    flips = {"late": False}

    def moody():
        pyro.sample("s_0", EVEN)
        pyro.deterministic("r_0", 1.0 * pyro.sample("a_0", EVEN))
        if flips["late"]:
            pyro.sample("s_1", EVEN)

    model = TrajectoryModel.from_program(moody, horizon=1)
    flips["late"] = True
    with pytest.raises(ValueError, match="unknown site 's_1'"):
        infer(model, SVI(Unconstrained(), steps=1), progress=False)


def test_wrong_sizes_of_policies():
    """A table with too few states fails at the first step with the policy named, not with an index error."""
    model = TrajectoryModel.from_program(program, horizon=2)
    with pytest.raises(ValueError, match="policy"):
        infer(model, SVI(FixedDynamics(TabularPolicy.uniform(1, 2)), steps=2), progress=False)
    with pytest.raises(ValueError, match="policy"):
        infer(model, SVI(FixedDynamics(TabularPolicy.uniform(2, 3)), steps=2), progress=False)


def test_a_factor_of_one_s_own_stands_instead_of_the_reward_s():
    def twice():
        action = pyro.sample("a_0", EVEN)
        pyro.deterministic("r_0", action.double())
        pyro.factor("O_0", 3 * action.double())

    model = TrajectoryModel.from_program(twice, horizon=1)
    solution = infer(model, SVI(steps=200), progress=False)
    odds = math.exp(3)
    assert solution.log_evidence_bound == pytest.approx(math.log((1 + odds) / 2), abs=0.02)
    assert evaluate(solution, model, episodes=4000).executed_return == pytest.approx(odds / (1 + odds), abs=0.02)


@pytest.mark.parametrize("kind", ["no site", "another name", "a site that follows from others"])
def test_something_must_make_one_run_better_than_another(kind: str):
    def idle():
        action = pyro.sample("a_0", EVEN)
        if kind == "another name":
            pyro.deterministic("cost_0", -action.double())
        if kind == "a site that follows from others":
            pyro.deterministic("O_0", action.double())  # its probability is 1, whatever it is

    with pytest.raises(ValueError, match=r"roles: no site is a reward or an optimality factor.*\['a_0'.*'r_0'"):
        TrajectoryModel.from_program(idle, horizon=1)


def test_an_observation_is_enough():
    """Nobody is paid, but what was seen says which action was taken: the posterior of an ordinary Pyro program."""

    def seen():
        action = pyro.sample("a_0", EVEN)
        pyro.sample("seen", Normal(action.double(), 1.0), obs=torch.tensor(1.0, dtype=torch.float64))

    model = TrajectoryModel.from_program(seen, horizon=1)
    solution = infer(model, SVI(steps=200), progress=False)
    densities = [math.exp(-0.5 * (1 - action) ** 2) / math.sqrt(2 * math.pi) for action in (0, 1)]
    assert solution.log_evidence_bound == pytest.approx(math.log(sum(densities) / 2), abs=0.02)
