"""How a job fails: words, and a reason of the closed list."""


class Failed(Exception):
    """The job cannot be done; `reason` is one of `edgebench.core.Reason`."""

    def __init__(self, words, *, reason):
        super().__init__(words)
        self.reason = reason
