"""The source of a small package, with what the reference has to get right."""

__all__ = ["MODELS", "PACKAGE"]

PACKAGE = {
    "__init__": '''
        """A sample."""

        from sample import worlds
        from sample.inner import solve

        __all__ = ["solve", "worlds"]
        ''',
    "worlds": '''
        """Worlds."""

        __all__ = ["World"]


        class World:
            """One world.

            Args:
                size: how many states.
            """

            def __init__(self, size: int):
                self.size = size

            def step(self, action: int) -> int:
                """The next state."""
                return action % self.size
        ''',
    "agents": '''
        """Agents."""

        __all__ = ["act"]


        def act(step_size: float) -> float:
            """One act.

            Args:
                step_size: how far.

            Example:
                >>> act(1.0)
                2.0
            """
            return 2 * step_size
        ''',
    "inner": '''
        """Inside."""

        __all__ = ["backup", "solve"]


        def solve(world: object, discount: float = 1.0) -> float:
            """V(s) = α log Σ_a π0(a|s) exp(Q*(s,a)/α), and V* ≥ V_{t+1}[s] where a < b.

            Two actions:

                w_{i,t} = γᵗ ρ_i [a|s] * 2

            Args:
                world: to be solved.
                discount: in (0, 1].
            """
            return backup(discount)


        def backup(value: float) -> float:
            """One backup."""
            return value
        ''',
}
MODELS = {
    "__init__": '"""Worked problems."""\n',
    "coin": '''
        """A coin."""

        __all__ = ["toss"]


        def toss() -> int:
            """One toss."""
            return 1
        ''',
}
