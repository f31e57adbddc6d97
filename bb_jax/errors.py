"""Errors whose text is one clear sentence for people.

A command line shows the sentence without a traceback, and ends with a non-zero exit code. Other
modules add kinds of their own where somebody tells them apart.
"""

import os
import re

# In characters.
_LONGEST = 5000


class UserError(Exception):
    """Something that people can put right; the text is one sentence that says what."""

    def __init__(self, text: str = "") -> None:
        """Escapes what a terminal does not print, and shortens what nobody reads.

        Texts quote files and names, which may hold anything.
        """
        if len(text) > _LONGEST:
            text = f"{text[: _LONGEST - 200]} … {text[-190:]}"
        super().__init__("".join(c if c.isprintable() else repr(c)[1:-1] for c in text))


class CheckpointError(UserError):
    """A checkpoint cannot be found, read, written or used."""


class DeviceError(UserError):
    """A device that was asked for is missing or has failed."""


class EvaluationError(UserError):
    """An evaluation was given something that it cannot work with."""


class FileError(UserError):
    """A file cannot be read or written."""


def one_line(error: BaseException) -> str:
    """A library's error in a sentence or so; the operating system's reason where there is one."""
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    code = re.search(r"os_error_code='(\d+)'", text)
    if code:
        return os.strerror(int(code[1]))
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(text.split()) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
