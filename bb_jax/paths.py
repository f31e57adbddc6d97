"""How a path that somebody has written is understood, in every option, argument and key."""

from __future__ import annotations

import os
from pathlib import Path

from bb_jax.errors import FileError, UserError

#: The configurations and checkpoints of an installed package, in `configs` and `checkpoints`. A
#: source tree has its own in the folders of these names, and nothing here.
SHIPPED = Path(__file__).parent / "shipped"


def expand_home(text: str, kind: type[UserError] = FileError) -> Path:
    """The path that a text names: `~` and `~USER` are home folders.

    Variables are not expanded. A path that begins with `$` is a file or folder of that very name.

    Args:
      text: the path as it was written.
      kind: the error to raise.

    Raises:
      UserError: an error of that kind, where there is no such user, where the path begins with `$`
        and its first part is not there, or where it holds a zero byte.
    """
    if "\0" in text:
        raise kind(f"{text!r} holds a zero byte, which no path can")
    first = text.partition("/")[0]
    if first.startswith("$") and not os.path.lexists(first):
        raise kind(
            f"{text}: {first} is taken literally, and nothing here has that name; write the path "
            "out or use ~"
        )
    expanded = os.path.expanduser(text)
    if first.startswith("~") and expanded == text:
        unknown = f"there is no user {first[1:]}" if first[1:] else "the home folder is not known"
        raise kind(f"{text}: {unknown}; a name that begins with ~ is written ./~")
    return Path(expanded)
