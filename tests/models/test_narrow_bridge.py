"""The bridge and the way round."""

import pytest
import torch

from ppl_control import SVI, ParticlePlanning, evaluate, guides, infer
from ppl_control.models import narrow_bridge

MIDDLE = 5  # of the 10 steps; then everybody is half-way


def test_the_water_lies_where_the_river_is():
    places = {(0.0, 0.0): 0, (0.0, 0.2): 0, (0.0, 0.85): 0.5, (0.0, 2.0): 0, (1.0, 0.8): 0, (0.0, -0.6): 1}
    depth = narrow_bridge.water(torch.tensor(list(places)).double())
    torch.testing.assert_close(depth, torch.tensor(list(places.values())).double(), rtol=0, atol=0.15)


def test_the_wind_blows_over_the_river_only():
    mdp = narrow_bridge.mdp(wind=0.5)
    place = torch.tensor([[0.0, 0.0], [-1.75, 0.0], [0.0, 2.5]]).double()
    scale = mdp.transition(place, torch.zeros(3, 2).double()).stddev
    torch.testing.assert_close(scale[:, 1], torch.tensor([0.5, 0.03, 0.03]).double(), rtol=0, atol=1e-3)
    torch.testing.assert_close(scale[:, 0], torch.full((3,), 0.03).double())


def test_a_wind_is_needed():
    with pytest.raises(ValueError, match="wind: expected a number > 0, got 0"):
        narrow_bridge.model(wind=0)


@pytest.mark.slow
def test_the_optimist_crosses_and_the_honest_one_goes_round():
    model = narrow_bridge.model()
    quick = {"steps": 300, "particles": 128}
    bold = infer(model, SVI(guides.Unconstrained(), **quick), progress=False)
    honest = infer(model, SVI(guides.FixedDynamics(), **quick), progress=False)
    with torch.no_grad():
        crossing, detour = (float(s.guide.rollout(500).states[MIDDLE, :, 1].mean()) for s in (bold, honest))
    assert abs(crossing) < narrow_bridge.BRIDGE
    assert detour > narrow_bridge.END
    assert bold.log_evidence_bound > honest.log_evidence_bound + 20
    believes, gets = evaluate(bold, model), evaluate(honest, model)
    assert believes.optimism > 10
    assert abs(gets.optimism) < 4 * gets.optimism_stderr
    assert believes.believed_return > gets.executed_return > believes.executed_return
    # True luck, kept where it was good: log Z. The optimist's gap to it is small beside the price of honesty.
    evidence = infer(model, ParticlePlanning(8192, proposal=bold.policy), progress=False).log_evidence_bound
    gap, price = evidence - bold.log_evidence_bound, evidence - honest.log_evidence_bound
    assert 0 < gap < 0.2 * price
