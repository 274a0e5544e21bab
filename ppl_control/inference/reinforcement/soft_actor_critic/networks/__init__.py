"""The networks that soft actor-critic brings; the actor is a policy of the library."""
