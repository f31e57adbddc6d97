"""Attacks the program: python -m attack [ATTACK] [--count N] [--seed N] [--minutes M].

ATTACK is files, kills, mirror, disks or soak. Without it all of them run, for more than an hour.
With --minutes they run again and again, each time with another seed, for as long. The exit code is
1 if something was found.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

from attack import kills, mirror
from attack.disks import attack_disks
from attack.files import DEFAULT_COUNT, attack_files
from attack.soak import DEFAULT_MINUTES, attack_soak
from attack.tally import Tally
from eval.command_line import Parser, run_command, start_jax
from eval.console import show

EXIT_FOUND = 1
# Attacks in a round where they go on for a given time.
_FILES_IN_A_ROUND, _KILLS_IN_A_ROUND = 2000, 6

Attack = Callable[[int], Tally]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    return run_command(lambda: _run(options))


def _parser() -> Parser:
    parser = Parser(prog="python -m attack", description="Attacks the program.")
    parser.add_argument("--minutes", type=float, metavar="M", help="default: once")
    _add_seed(parser)
    parser.set_defaults(attacks=_all_attacks)
    commands = parser.add_subparsers(metavar="ATTACK")

    command = commands.add_parser("files", help="hostile files for every reader")
    command.add_argument("--count", type=int, default=DEFAULT_COUNT, metavar="N", help="of files")
    command.add_argument("--only", type=int, metavar="I", help="try the Ith file alone")
    _add_seed(command)
    command.set_defaults(attacks=lambda o: [partial(attack_files, o.count, only=o.only)])

    command = commands.add_parser("kills", help="SIGKILL at random moments")
    command.add_argument(
        "--count", type=int, default=kills.DEFAULT_COUNT, metavar="N", help="of kills"
    )
    command.add_argument("--only", type=int, metavar="I", help="try the Ith kill alone")
    _add_seed(command)
    command.set_defaults(attacks=lambda o: [partial(kills.attack_kills, o.count, only=o.only)])

    command = commands.add_parser("mirror", help="SIGKILL while a run is copied elsewhere")
    command.add_argument(
        "--count", type=int, default=mirror.DEFAULT_COUNT, metavar="N", help="of kills"
    )
    command.add_argument("--only", type=int, metavar="I", help="try the Ith kill alone")
    _add_seed(command)
    command.set_defaults(attacks=lambda o: [partial(mirror.attack_mirror, o.count, only=o.only)])

    command = commands.add_parser("disks", help="a disk that fails at each call of a save")
    command.add_argument("--most", type=int, metavar="K", help="the largest number of a call")
    command.add_argument("--only", metavar="KIND:ERROR:K", help="try one call alone")
    command.set_defaults(attacks=lambda o: [partial(attack_disks, o.most, o.only)])

    command = commands.add_parser("soak", help="a training stopped and resumed again and again")
    command.add_argument(
        "--minutes", dest="soak", type=float, default=DEFAULT_MINUTES, metavar="M",
        help=f"default: {DEFAULT_MINUTES:g}",
    )  # fmt: skip
    _add_seed(command)
    command.set_defaults(attacks=lambda o: [partial(attack_soak, o.soak)])
    return parser


def _add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")


def _all_attacks(options: argparse.Namespace) -> list[Attack]:
    once = options.minutes is None
    return [
        partial(attack_files, DEFAULT_COUNT if once else _FILES_IN_A_ROUND),
        partial(kills.attack_kills, kills.DEFAULT_COUNT if once else _KILLS_IN_A_ROUND),
        partial(mirror.attack_mirror, mirror.DEFAULT_COUNT if once else _KILLS_IN_A_ROUND),
        attack_disks,
    ]


def _run(options: argparse.Namespace) -> int:
    start_jax("cpu")
    tally, seed = Tally(), options.seed
    ends = time.monotonic() + 60 * (options.minutes or 0)
    while True:
        for attack in options.attacks(options):
            tally.add(attack(seed=seed))
        seed += 1
        if time.monotonic() >= ends:
            break
    show(tally.render())
    return EXIT_FOUND if tally.findings else 0


if __name__ == "__main__":
    sys.exit(main())
