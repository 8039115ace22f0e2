"""Everything that can be wrong with the input of the recommender: no retry cures it; the message names the remedy."""


class BadStreamError(ValueError):
    """The stream of views and ratings, or the table of runtimes, cannot be used."""


class TooManyRejectsError(BadStreamError):
    """More lines are malformed than `max_reject_share` allows."""


class NothingToReadError(BadStreamError):
    """No usable view or rating lies before the cutoff."""


class RuntimesError(BadStreamError):
    """The table of runtimes lacks a column or holds what is no number."""


class TooFewPairsError(BadStreamError):
    """Too few pairs of user and movie to train on some and score on others."""


class CutoffError(BadStreamError):
    """A cutoff that lies in the future."""
