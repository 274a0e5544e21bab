"""A fit that begins with what another one found, which is frozen there and stays so."""

import pyro
import pytest
import torch
from pyro.distributions import Categorical
from torch import nn

from ppl_control import SVI, SimulatorMDP, SoftPolicyGradient, TrajectoryModel, infer
from ppl_control.guides import Custom, FixedDynamics, OpenLoop
from ppl_control.guides.copies import trainable_copy
from ppl_control.models import lottery
from ppl_control.policies import CategoricalMLP, TabularPolicy
from tests.environments import Corridor
from tests.problems import random_problem

MODEL = random_problem(1, prior="uniform", shared=False).model()
QUICK = {"steps": 3, "learning_rate": 0.1, "particles": 16}


class Blind(nn.Module):
    """A guide as a module with parameters of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(2, dtype=torch.float64))

    def forward(self) -> None:
        pyro.sample("a_0", Categorical(logits=self.logits))


RECIPES = {
    "table": (MODEL, FixedDynamics(TabularPolicy.uniform(3, 2, horizon=3)), lambda s: FixedDynamics(s.policy)),
    "network": (
        MODEL,
        FixedDynamics(CategoricalMLP(2, num_states=3, hidden=(4,))),
        lambda s: FixedDynamics(s.policy),
    ),
    "plan": (MODEL, OpenLoop("joint"), lambda s: OpenLoop(s.guide.plan)),
    "function": (lottery.model(), Custom(Blind()), lambda s: Custom(s.guide.function)),
}


@pytest.mark.parametrize("name", RECIPES)
def test_it_goes_on_from_there_and_leaves_it_alone(name: str):
    model, recipe, again = RECIPES[name]
    first = infer(model, SVI(recipe, optimizer="adam", **QUICK), progress=False)
    kept = {key: value.clone() for key, value in first.guide.state_dict().items()}
    warm = again(first)
    start = {key: value.clone() for key, value in warm.build(model).state_dict().items()}
    second = infer(model, SVI(warm, optimizer="adam", **QUICK), progress=False)
    assert all(torch.equal(kept[key], value) for key, value in start.items())
    assert any(not torch.equal(kept[key], value) for key, value in second.guide.state_dict().items())
    assert all(torch.equal(kept[key], value) for key, value in first.guide.state_dict().items())
    assert not any(parameter.requires_grad for parameter in first.guide.parameters())


def test_a_policy_that_plays_is_learned_on_too():
    model = TrajectoryModel(SimulatorMDP(Corridor, limit=8), discount=0.9, action_prior="uniform")
    small = {"steps": 64, "environments": 2, "rollout_length": 8, "minibatches": 2, "episodes": 2}
    first = infer(model, SoftPolicyGradient(**small), progress=False)
    kept = {key: value.clone() for key, value in first.policy.state_dict().items()}
    second = infer(model, SoftPolicyGradient(policy=first.policy, **small), progress=False)
    assert any(not torch.equal(kept[key], value) for key, value in second.policy.state_dict().items())
    assert all(torch.equal(kept[key], value) for key, value in first.policy.state_dict().items())
    assert not any(parameter.requires_grad for parameter in first.policy.parameters())


def test_what_somebody_froze_in_part_stays_so():
    policy = CategoricalMLP(2, num_states=3, hidden=(4,))
    chosen = next(policy.parameters()).requires_grad_(False)
    copy = trainable_copy(policy)
    assert [p.requires_grad for p in copy.parameters()] == [p is not chosen for p in policy.parameters()]
