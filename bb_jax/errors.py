"""The error that evaluation raises for bad input."""


class EvaluationError(ValueError):
    """Bad input to an evaluation; its text is one clear sentence for the user."""
