"""Plans as distributions over whole sequences."""

import math

import pytest
import torch

from ppl_control.guides.plans import BlindPolicy, IndependentPlan, JointPlan, Sequences
from ppl_control.randomness import RandomStream


def frozen(plan):
    """A plan away from its start."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in plan.parameters():
            parameter += torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    return plan.requires_grad_(False)


PLANS = [frozen(IndependentPlan(torch.zeros(3, 2, dtype=torch.float64))), frozen(JointPlan(2, 3))]
every_plan = pytest.mark.parametrize("plan", PLANS, ids=lambda plan: type(plan).__name__)
ALL = JointPlan(2, 3)().enumerate_support()


@every_plan
def test_it_is_a_distribution_over_all_sequences(plan):
    q = plan()
    assert q.event_shape == (3,)
    assert q.batch_shape == ()
    assert float(q.log_prob(ALL).exp().sum()) == pytest.approx(1, rel=1e-12)
    with RandomStream(0):
        drawn = q.sample([20_000])
    assert drawn.shape == (20_000, 3)
    for sequence, p in zip(ALL, q.log_prob(ALL).exp().tolist(), strict=True):
        share = float((drawn == sequence).all(-1).double().mean())
        assert abs(share - p) < 4 * math.sqrt(p * (1 - p) / 20_000)


@every_plan
def test_conditionals_multiply_to_the_whole(plan):
    total = torch.zeros(len(ALL), dtype=torch.float64)
    for t in range(3):
        total = total + plan.conditional(t, list(ALL[:, :t].T)).log_prob(ALL[:, t])
    torch.testing.assert_close(total, plan().log_prob(ALL))


@every_plan
def test_its_settings_and_state_rebuild_it(plan):
    other = type(plan)(**plan.settings)
    other.load_state_dict(plan.state_dict())
    assert torch.equal(other().log_prob(ALL), plan().log_prob(ALL))
    assert (other.horizon, other.num_actions) == (3, 2)


def test_the_table_is_in_the_order_of_the_support():
    q = PLANS[1]()
    torch.testing.assert_close(q.log_table(), q.log_prob(ALL))
    assert ALL[5].tolist() == [1, 0, 1]
    one = JointPlan(3, 1)()
    assert one.enumerate_support().tolist() == [[0], [1], [2]]
    assert JointPlan(1, 4)().sample().tolist() == [0, 0, 0, 0]


def test_a_batch_of_plans_is_the_same_plan():
    q: Sequences = PLANS[1]().expand([4])
    assert q.sample().shape == (4, 3)
    assert q.sample([2]).shape == (2, 4, 3)
    assert q.log_prob(ALL[:1].expand(4, 3)).shape == (4,)
    assert q.enumerate_support().shape == (8, 4, 3)
    assert q.enumerate_support(expand=False).shape == (8, 1, 3)


def test_a_joint_plan_takes_conditionals():
    levels = PLANS[1].levels()
    other = JointPlan(2, 3).assign(levels)
    torch.testing.assert_close(other().log_table(), PLANS[1]().log_table())


def test_a_blind_policy_does_not_look():
    plan = PLANS[0]
    policy = BlindPolicy(plan)
    states = torch.tensor([[0, 1, 2]])
    assert policy(states, 1).probs.shape == (1, 3, 2)
    assert torch.equal(policy(states, 1).logits[0, 0], policy(states, 1).logits[0, 2])
    torch.testing.assert_close(policy(states, torch.tensor([0, 1, 2])).logits[0], plan.log_table())
    action, _ = policy.predict([0, 1], deterministic=True)
    assert action.tolist() == plan.logits[0].argmax().expand(2).tolist()
    other = BlindPolicy(**policy.settings)
    other.load_state_dict(policy.state_dict())
    assert torch.equal(other(states, 2).logits, policy(states, 2).logits)
    with pytest.raises(ValueError, match="t: this policy depends on time"):
        policy(states)
    with pytest.raises(ValueError, match=r"times 0 … 2, got 3"):
        policy(states, 3)


def test_bad_sizes_are_refused():
    for logits in (torch.zeros(3), torch.zeros(2, 3, 4), torch.zeros(2, 3, dtype=torch.cfloat), torch.zeros(0, 2)):
        with pytest.raises(ValueError, match="logits"):
            IndependentPlan(logits)
    with pytest.raises(ValueError, match="horizon"):
        JointPlan(2, 0)
    with pytest.raises(ValueError, match="num_actions"):
        JointPlan(True, 2)
    with pytest.raises(ValueError, match="524288 action sequences are too many"):
        JointPlan(2, 19)
