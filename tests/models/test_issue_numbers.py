"""The numbers each worked problem is known by."""

import pytest
import torch

from ppl_control import MessagePassing, SoftValueIteration, evaluate, infer
from ppl_control.inference import messages
from ppl_control.models import cliff_walking, frozen_lake, hiking, lottery

BUY = 1


def solved(model):
    posterior, best = infer(model, MessagePassing()), infer(model, SoftValueIteration())
    return posterior, best, evaluate(posterior, model), evaluate(best, model)


def test_lottery():
    model = lottery.model()
    posterior, best, belief, fact = solved(model)
    assert posterior.log_evidence_bound == pytest.approx(5.401004, abs=1e-6)
    assert best.log_evidence_bound == pytest.approx(0.344055, abs=1e-6)
    start = torch.tensor(0)
    assert float(posterior.policy(start, 0).probs[BUY].detach()) == pytest.approx(0.995488, abs=1e-6)
    assert float(best.policy(start, 0).probs[BUY].detach()) == pytest.approx(0.291110, abs=1e-6)
    believed = posterior.guide.transition[0, 0, BUY]
    assert float(believed[model.mdp.state_names.index("won")]) == pytest.approx(0.998349, abs=1e-6)
    assert belief.optimism == pytest.approx(10.82, abs=5e-3)
    assert fact.optimism == pytest.approx(0, abs=1e-12)


def test_hiking():
    posterior, best, belief, fact = solved(hiking.model(noise=0.1))
    assert posterior.log_evidence_bound == pytest.approx(88.50627, abs=1e-5)
    assert best.log_evidence_bound == pytest.approx(70.96149, abs=1e-5)
    assert belief.believed_return == pytest.approx(9.448, abs=5e-4)
    assert belief.executed_return == pytest.approx(1.691, abs=5e-4)
    assert fact.executed_return == pytest.approx(8.350, abs=5e-4)


def test_hiking_without_noise():
    posterior, best, belief, fact = solved(hiking.model(noise=0.0))
    assert posterior.log_evidence_bound == pytest.approx(88.50627, abs=1e-5)
    assert best.log_evidence_bound == pytest.approx(posterior.log_evidence_bound, rel=1e-12)
    assert belief.optimism == pytest.approx(0, abs=1e-9)
    assert belief.executed_return == pytest.approx(fact.executed_return, rel=1e-9)


def test_frozen_lake():
    model = frozen_lake.model()
    posterior, best, belief, fact = solved(model)
    assert posterior.log_evidence_bound == pytest.approx(165.464177, abs=1e-6)
    assert best.log_evidence_bound == pytest.approx(52.104807, abs=1e-6)
    assert belief.believed_return == pytest.approx(1.0, abs=5e-5)
    assert belief.executed_return == pytest.approx(0.0141, abs=5e-5)
    assert fact.executed_return == pytest.approx(0.5637, abs=5e-5)
    assert model.mdp.layout is not None
    assert model.mdp.layout[15] == "G"


def test_the_lake_s_hard_optimum_is_the_cold_limit():
    """0.7442 of the episodes succeed at best within 100 steps."""
    cold = frozen_lake.model(temperature=1e-5, action_prior="uniform")
    best = infer(cold, SoftValueIteration())
    assert evaluate(best, cold).executed_return == pytest.approx(0.7442, abs=5e-5)
    assert evaluate(best, cold, deterministic=True).executed_return == pytest.approx(0.7442, abs=5e-5)


def test_cliff_walking_is_believed_as_it_is():
    posterior, best, belief, _ = solved(cliff_walking.model())
    assert posterior.log_evidence_bound == pytest.approx(best.log_evidence_bound, rel=1e-12)
    assert belief.optimism == pytest.approx(0, abs=1e-9)
    _, _, slippery, _ = solved(cliff_walking.model(is_slippery=True))
    assert slippery.optimism > 1


def test_lottery_s_ticket_is_a_fair_loss():
    """Where the expected gain is −0.89, a cold fixed-dynamics guide keeps its stake; the posterior buys on."""
    cold = lottery.model(temperature=0.1)
    posterior, best, _, fact = solved(cold)
    assert fact.executed_return == pytest.approx(0, abs=1e-3)
    assert float(posterior.policy(torch.tensor(0), 0).probs[BUY].detach()) > 0.999
    assert messages(cold).states[1, -1] == pytest.approx(1.0)  # every outcome ends
    assert best.soft_value[0, 0] >= 0
