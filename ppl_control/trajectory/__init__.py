"""An MDP, or your own Pyro function, as a model over trajectories; per site and in batches."""

from ppl_control.trajectory.model import TrajectoryModel

__all__ = ["TrajectoryModel"]
