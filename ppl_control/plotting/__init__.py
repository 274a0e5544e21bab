"""Pictures."""


def plot_graph():
    pass
