"""What goes wrong with a cluster that a person can mend."""


class ClusterError(RuntimeError):
    """A cluster that cannot be started or reached, or a worker that cannot be used."""
