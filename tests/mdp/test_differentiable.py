"""Worlds written as torch functions, and what is said of those that cannot work."""

import pyro.distributions as dist
import pytest
import torch
from gymnasium import spaces

from ppl_control import SVI, DifferentiableMDP, TrajectoryModel, infer
from ppl_control.guides import MAP, FixedDynamics, MeanField, OpenLoop, Unconstrained
from ppl_control.inverse import ActionCost, LinearReward, MLPReward
from ppl_control.policies import CategoricalMLP, GaussianMLP, SquashedGaussianMLP

BOX = spaces.Box(-1.0, 1.0, (2,))
FREE = spaces.Box(-float("inf"), float("inf"), (2,))


def mdp(**changes):
    given = {
        "initial": torch.zeros(2),
        "transition": lambda state, action: dist.Normal(state + action, 0.1).to_event(1),
        "reward": lambda state, action: -(state**2).sum(-1),
        "action_space": BOX,
    } | changes
    return DifferentiableMDP(given.pop("initial"), given.pop("transition"), given.pop("reward"), **given)


def test_rewards_may_look_at_the_outcome():
    seen = mdp(reward=lambda state, action, following: following[..., 0])
    state, action, following = torch.zeros(4, 2), torch.zeros(4, 2), torch.arange(8.0).view(4, 2)
    assert torch.equal(seen.reward(state, action, following), following[:, 0])
    assert torch.equal(mdp().reward(state, action, following), torch.zeros(4))


def test_another_start_leaves_the_first_alone():
    here = mdp()
    there = here.with_initial([1.0, 2.0])
    assert there.initial().sample().tolist() == [1.0, 2.0]
    assert here.initial().sample().tolist() == [0.0, 0.0]
    assert here.digest() != there.digest()
    assert here.digest() == mdp().digest()
    with pytest.raises(ValueError, match="2 entries"):
        here.with_initial([1.0])


def test_other_rewards_leave_the_first_alone():
    here = mdp(done=lambda state: state[..., 0] > 9)
    state, action, following = torch.ones(4, 2).double(), torch.full((4, 2), 0.5).double(), torch.zeros(4, 2).double()
    cost = ActionCost(action_dim=2)
    cost.costs.data += torch.tensor([1.0, 3.0])
    for reward, paid in (
        (lambda state, action: action[..., 0], 0.5),
        (lambda state, action, following: following[..., 0], 0.0),
        (cost, -1.0),
        (LinearReward(lambda s, a, n: n - s, weights=[1.0, 2.0]), -3.0),
        (MLPReward(state_dim=2, action_dim=2, dtype=torch.float64) + cost, -1.0),
    ):
        there = here.with_reward(reward)
        assert there.reward(state, action, following).tolist() == [paid] * 4
        assert there.may_end
        assert there.digest() != here.digest()
    assert here.reward(state, action, following).tolist() == [-2.0] * 4


@pytest.mark.parametrize(
    ("reward", "match"),
    [
        (None, "reward: expected a function, got None"),
        ([[0.0]], "reward: expected a function"),
        (lambda s, a: s, r"reward: expected shape \(3,\) on a batch of 3 states, got \(3, 2\)"),
        (lambda s, a: 0.0, r"reward: expected shape \(3,\) on a batch of 3 states, got 0.0"),
        (lambda s, a: None, r"reward: expected shape \(3,\) on a batch of 3 states, got None"),
        (lambda: 0.0, "reward: failed on a batch of 3 states: TypeError"),
        (lambda s, a: s[..., 7], "reward: failed on a batch of 3 states: IndexError"),
        (lambda s, a: s[..., 0] / 0, "reward: expected finite numbers"),
        (ActionCost(action_dim=3), "reward: failed on a batch of 3 states: RuntimeError"),
        (LinearReward(lambda s, a, n: s, num_features=3), r"reward: failed .* features: expected \[3, 3\], got shape"),
    ],
)
def test_other_rewards_that_are_none(reward, match: str):
    with pytest.raises(ValueError, match=match):
        mdp().with_reward(reward)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"initial": torch.zeros(2, 2)}, "initial: expected a distribution or a finite vector"),
        ({"initial": [0.0, float("nan")]}, "initial: expected a distribution or a finite vector"),
        ({"initial": "here"}, "initial: expected a rectangular table of numbers"),
        ({"initial": dist.Normal(torch.zeros(2), 1.0)}, r"initial: .*to_event"),
        ({"transition": None}, "transition: expected a function"),
        ({"transition": lambda s, a: dist.Normal(s + a, 0.1)}, r"transition: .*to_event"),
        ({"transition": lambda s, a: s + a}, "transition: expected a distribution"),
        ({"transition": lambda s, a: dist.Normal(s[0] + a, 0.1).to_event(2)}, "transition: expected a distribution"),
        ({"transition": lambda s, a: 1 / 0}, "transition: failed .* ZeroDivisionError"),
        ({"reward": lambda s, a: s}, r"reward: expected shape \(3,\)"),
        ({"reward": lambda s, a: s[..., 0] / 0}, "reward: expected finite numbers"),
        ({"final_reward": lambda s: 1.0}, "final_reward: expected shape"),
        ({"done": lambda s: s[..., 0]}, "done: expected bool"),
        ({"action_space": spaces.MultiBinary(2)}, "action_space: expected a Box"),
        ({"action_space": spaces.Box(-1.0, float("inf"), (2,))}, "every bound or none"),
    ],
)
def test_bad_worlds_are_named(changes, match: str):
    with pytest.raises(ValueError, match=match):
        mdp(**changes)


@pytest.mark.parametrize(
    ("space", "prior", "match"),
    [
        (FREE, "uniform", "'uniform' needs bounded actions.*Gaussian"),
        (BOX, "normal", "action_prior: expected"),
        (BOX, dist.Normal(torch.zeros(2), 1.0), "action_prior: expected event shape"),
        (BOX, dist.Normal(torch.zeros(3), 1.0).to_event(1), "action_prior: expected event shape"),
        (BOX, GaussianMLP(num_features=2, action_dim=2), "action_prior: .* beyond the bounds"),
        (FREE, GaussianMLP(num_features=2, action_dim=1), "action_prior: expected event shape"),
        (FREE, GaussianMLP(num_features=3, action_dim=2), "expected shape"),
    ],
)
def test_priors_that_do_not_fit(space, prior, match: str):
    with pytest.raises(ValueError, match=match):
        TrajectoryModel(mdp(action_space=space), horizon=2, action_prior=prior)


def test_a_prior_narrower_than_the_actions_is_named():
    narrow = dist.Uniform(-0.5 * torch.ones(2), 0.5 * torch.ones(2)).to_event(1)
    model = TrajectoryModel(mdp(), horizon=2, action_prior=narrow)
    with pytest.raises(ValueError, match="action_prior: an action lies outside its support"):
        infer(model, SVI(steps=2), progress=False)


def test_a_continuous_model_needs_a_horizon():
    with pytest.raises(ValueError, match="horizon: a continuous model needs"):
        TrajectoryModel(mdp(), discount=0.9)


class Jump(dist.TorchDistribution):
    """Half a step to either side: no density gradient through its draws."""

    arg_constraints = {}  # noqa: RUF012
    has_rsample = False

    def __init__(self, middle: torch.Tensor) -> None:
        self.middle = middle
        super().__init__(middle.shape[:-1], middle.shape[-1:], validate_args=False)

    def expand(self, batch_shape, _instance=None):
        return Jump(self.middle.expand(*batch_shape, -1))

    def sample(self, sample_shape=()):
        shape = self._extended_shape(torch.Size(sample_shape))
        return (self.middle + torch.rand(shape).round() - 0.5).detach()

    def log_prob(self, value):
        return torch.full(value.shape[:-1], -float(self.event_shape[0]), dtype=torch.float64)


def test_draws_without_gradients_are_left_to_the_score():
    model = TrajectoryModel(mdp(transition=lambda s, a: Jump(s + a)), horizon=2, action_prior="uniform")
    with pytest.raises(ValueError, match=r"transition is Jump, which has no rsample; use estimator='score'"):
        infer(model, SVI(estimator="reparameterised"))
    assert infer(model, SVI(steps=2, particles=4), progress=False).history["bound"]
    for guide in (Unconstrained(), MAP()):
        with pytest.raises(ValueError, match=r"no Gaussian.*ParticlePlanning"):
            infer(model, SVI(guide))


@pytest.mark.parametrize(
    ("guide", "match"),
    [
        (FixedDynamics(GaussianMLP(num_features=2, action_dim=2)), "beyond the bounds.*SquashedGaussianMLP"),
        (FixedDynamics(SquashedGaussianMLP(num_features=2, action_dim=1, low=-1, high=1)), "expected event shape"),
        (FixedDynamics(SquashedGaussianMLP(num_features=3, action_dim=2, low=-1, high=1)), "state: expected"),
        (FixedDynamics(CategoricalMLP(2, num_features=2)), "policy: expected event shape"),
        (OpenLoop("joint"), "for finite actions"),
        (MeanField(), None),
    ],
)  # fmt: skip
def test_policies_that_do_not_fit(guide, match: str | None):
    model = TrajectoryModel(mdp(), horizon=2, action_prior="uniform")
    if match is None:
        guide.build(model)
        return
    with pytest.raises(ValueError, match=match):
        guide.build(model)


def test_ends_and_guides_that_cannot_have_them():
    model = TrajectoryModel(mdp(done=lambda s: s[..., 0] > 1), horizon=3)
    with pytest.raises(ValueError, match="may end"):
        infer(model, SVI(estimator="reparameterised"))
    with pytest.raises(ValueError, match="MeanField: trajectories that may end"):
        infer(model, SVI(MeanField()))
    with pytest.raises(ValueError, match=r"base measure.*'uniform'"):
        infer(model, SVI(OpenLoop()))
