"""The errors that stop a tick or a command. What is wrong with one item is a value, not an error."""


class ReconcilerError(Exception):
    """Base of ours: its message is one line, fit for a person, with no secret in it."""


class UsageError(ReconcilerError):
    """What was asked for makes no sense: a flag, a path, a missing branch. It will not mend itself."""


class SourceError(ReconcilerError):
    """The repository, or the folder, could not be read."""


class TargetError(ReconcilerError):
    """The target could not be read, so nothing can be said about it."""


class ClusterError(TargetError):
    """The API server did not answer, or said no to all of it."""


class PublishError(ReconcilerError):
    """The report could not be written to git."""
