"""Sequential Monte Carlo over trajectories."""

from ppl_control.inference.variational.particles.method import ParticlePlanning

__all__ = ["ParticlePlanning"]
