"""Behaviour cloning: the demonstrator's choices as they are, without a reward behind them."""

from ppl_control.inverse.cloning.method import BehaviourCloning

__all__ = ["BehaviourCloning"]
