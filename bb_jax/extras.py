"""The extras of the package: what each brings, who needs it, and how a missing one is named.

It is imported before anything that an extra brings.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

from bb_jax.errors import UserError

DISTRIBUTION = "beasty-bar-trainer"
COMMAND_MODULE = "train.beasty_bar"

_PLAY = ("flax", "jax", "pydantic", "rich", "scipy", "yaml")
#: The modules of other projects that an extra brings, by extra.
MODULES = {
    "play": _PLAY,
    "browser": (*_PLAY, "starlette", "uvicorn", "websockets"),
    "train": (*_PLAY, "jinja2", "matplotlib", "optax", "orbax", "tensorboardX"),
}
# Everything else that needs an extra needs `play`.
_NEED_TRAIN = (
    "train",
    "eval.guide",
    "eval.report",
    "bb_jax.expert",
    "bb_jax.learning",
    "bb_jax.ppo",
)


class MissingExtraError(UserError, ImportError):
    """An extra of the package that is needed is not installed."""


def extra_of(module: str) -> str:
    """The extra that a module of this package needs.

    Args:
      module: its dotted name; it belongs to another room than `bb_sim`, which needs none.
    """
    if f"{module}.".startswith("eval.web."):
        return "browser"
    needs_train = any(f"{module}.".startswith(f"{name}.") for name in _NEED_TRAIN)
    return "train" if needs_train else "play"


def require_extra(extra: str, what: str) -> None:
    """Raises MissingExtraError where a module that the extra brings is not installed.

    Args:
      extra: a key of `MODULES`.
      what: what needs it, for the message.
    """
    missing = [name for name in MODULES[extra] if not _is_installed(name)]
    if missing:
        raise MissingExtraError(
            f"{what} needs {', '.join(missing)}, which the extra `{extra}` brings: "
            f"pip install '{DISTRIBUTION}[{extra}]'"
        )


def refuse_command_without_extra() -> None:
    """Ends `python -m COMMAND` with one sentence where its extra is missing.

    Packages with commands call it first. It does nothing in programs that import such a package:
    the interpreter's name is "-m" only while it looks for the command's module.
    """
    if sys.argv[:1] != ["-m"] or "-m" not in sys.orig_argv[:-1]:
        return
    module = sys.orig_argv[sys.orig_argv.index("-m") + 1]
    if module.partition(".")[0] not in ("eval", "train") or module == COMMAND_MODULE:
        return
    try:
        require_extra(extra_of(module), module)
    except MissingExtraError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ValueError:
        # It is being imported, or was put there without a specification.
        return True
