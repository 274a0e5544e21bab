"""The checks of shapes themselves: they are on, and they can fail."""

import pytest
import torch

from ppl_control.inference.exact.recursions import soft_maximum
from ppl_control.mdp.outcomes import Outcomes
from ppl_control.models import lottery
from ppl_control.trajectory.tables import GuideTables


def test_axes_of_one_call_agree():
    q, prior = torch.zeros(4, 3, 2), torch.zeros(4, 3, 2)
    assert soft_maximum(q, prior).shape == (4, 3)
    with pytest.raises(TypeError, match="parameter 'log_prior'"):
        soft_maximum(q, prior[..., :1])


def test_fields_of_dataclasses_agree():
    one = torch.zeros(2, 3, 1)
    Outcomes(one, one.long(), one, one.bool())
    with pytest.raises(TypeError, match="parameter 'reward'"):
        Outcomes(one, one.long(), one[:1], one.bool())


def test_axes_longer_by_one():
    GuideTables(torch.zeros(4, 3, 2), torch.zeros(4))
    with pytest.raises(TypeError, match="parameter 'initial'"):
        GuideTables(torch.zeros(4, 3, 2), torch.zeros(3))


def test_types_of_numbers_count():
    tables = lottery.model().tables
    assert tables.expect(torch.zeros(4, dtype=torch.float64)).shape == (4, 2)
    with pytest.raises(TypeError, match="parameter 'value'"):
        tables.expect(torch.zeros(4, dtype=torch.long))
