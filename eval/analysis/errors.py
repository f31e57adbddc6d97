"""What an analysis refuses."""

from bb_jax.errors import EvaluationError

CANCELLED = "the analysis was cancelled"


class AnalysisError(EvaluationError):
    """A position, a game or a request that cannot be analysed.

    Attributes:
      field: the part that is at fault, such as `moves` or `position.queue`; None if it is no part.
    """

    def __init__(self, text: str = "", field: str | None = None) -> None:
        super().__init__(text)
        self.field = field


class CancelledError(AnalysisError):
    """An analysis that was cancelled before it had an answer."""

    def __init__(self) -> None:
        super().__init__(CANCELLED)
