"""Plans: distributions over whole action sequences, without states; one family a file."""

from ppl_control.guides.plans.auto import AutoPlan
from ppl_control.guides.plans.flow import FlowPlan
from ppl_control.guides.plans.gaussian import GaussianPlan
from ppl_control.guides.plans.independent import BlindPolicy, IndependentPlan
from ppl_control.guides.plans.joint import JointPlan, Sequences

__all__ = ["AutoPlan", "BlindPolicy", "FlowPlan", "GaussianPlan", "IndependentPlan", "JointPlan", "Sequences"]
