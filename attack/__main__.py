"""Attacks the program: python -m attack [ATTACK] [--count N] [--seed N] [--minutes M].

ATTACK is files, kills, mirror, hosts, disks or soak. Without it all of them run, for more than an
hour. With --minutes they run again and again, each time with another seed, for as long. The exit
code is 1 if something was found.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

from attack import files, hosts, kills, mirror
from attack.disks import attack_disks
from attack.soak import DEFAULT_MINUTES, attack_soak
from attack.tally import Tally
from eval.command_line import Parser, run_command, start_jax
from eval.console import show

EXIT_FOUND = 1
# Where attacks go on for a given time, each comes up so often in about an hour.
_ROUNDS_AN_HOUR = 10

Attack = Callable[[int], Tally]
# Attacks with a number: its name, itself, the number and what it counts, what it does.
_COUNTED: tuple[tuple[str, Callable[..., Tally], int, str, str], ...] = (
    ("files", files.attack_files, files.DEFAULT_COUNT, "files", "hostile files for every reader"),
    ("kills", kills.attack_kills, kills.DEFAULT_COUNT, "kills", "SIGKILL at chosen moments"),
    ("mirror", mirror.attack_mirror, mirror.DEFAULT_COUNT, "kills",
     "SIGKILL while a run is copied elsewhere"),
    ("hosts", hosts.attack_hosts, hosts.DEFAULT_COUNT, "runs",
     "strangers and odd hosts in runs on two hosts"),
)  # fmt: skip


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

    for name, attack, count, units, text in _COUNTED:
        command = commands.add_parser(name, help=text)
        command.add_argument(
            "--count", type=int, default=count, metavar="N", help=f"{units} (default: {count})"
        )
        command.add_argument("--only", type=int, metavar="I", help="try the Ith one alone")
        _add_seed(command)
        command.set_defaults(
            attacks=lambda o, attack=attack: [partial(attack, o.count, only=o.only)]
        )

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
    counted = [
        partial(attack, count if options.minutes is None else -(-count // _ROUNDS_AN_HOUR))
        for _, attack, count, _, _ in _COUNTED
    ]
    return [*counted, attack_disks]


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
