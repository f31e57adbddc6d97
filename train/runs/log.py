"""The log of a run: what happened, in words."""

from __future__ import annotations

import logging
from pathlib import Path

from eval.runs.metrics_file import clear_errors


class _LogHandler(logging.FileHandler):
    """A file handler whose failures reach the caller; logging would print them and go on."""

    def handleError(self, record: logging.LogRecord) -> None:
        with clear_errors(Path(self.baseFilename)):
            raise


def open_log(path: Path) -> logging.Logger:
    """A logger that appends to a file; runs in one process have loggers of their own.

    Raises:
      MetricsError: the file cannot be written, now or by a later message.
    """
    with clear_errors(path):
        handler = _LogHandler(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.Logger("training", level=logging.INFO)
    logger.addHandler(handler)
    return logger


def close_log(logger: logging.Logger) -> None:
    """Closes the file of a logger from `open_log`; errors as there."""
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        assert isinstance(handler, logging.FileHandler)
        with clear_errors(Path(handler.baseFilename)):
            handler.close()
