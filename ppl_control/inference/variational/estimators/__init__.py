"""The ELBO and its gradient for every kind of guide; ``choose`` picks by guide and name."""

from ppl_control.inference.variational.estimators.base import AdamSettings, Answer, Estimator, NaturalEstimator
from ppl_control.inference.variational.estimators.choice import NAMES, choose

__all__ = ["NAMES", "AdamSettings", "Answer", "Estimator", "NaturalEstimator", "choose"]
