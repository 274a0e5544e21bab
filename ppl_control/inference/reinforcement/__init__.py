"""Reinforcement learning: methods for worlds that can only be sampled, one a file or folder."""
