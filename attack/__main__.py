"""Attacks the program: python -m attack [ATTACK] [--seed N] [--minutes M].

ATTACK is one of those in `ATTACKS`. Without it all of them run, for about an hour on two cores;
with --minutes each does as much more or less. The exit code is 0 only if nothing was found.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from attack import disks, files, hosts, kills, lockstep, mirror, simulator, soak
from attack.small_runs import REPOSITORY
from attack.tally import Tally
from bb_jax.errors import UserError
from eval.command_line import Parser, run_command, start_jax
from eval.console import show

EXIT_FOUND = 1


@dataclass(frozen=True)
class Attack:
    """An attack that can run by itself, or with all others.

    Attributes:
      name: its name on the command line.
      help: what it does, in a few words.
      unit: what it is measured in: the name of its option.
      amount: how much of it by itself.
      in_an_hour: how much of it where all attacks share an hour.
      run: carries it out, given the amount and `seed`; with `only` one try alone.
      only: the type of `only`; None if it takes none.
    """

    name: str
    help: str
    unit: str
    amount: float
    in_an_hour: float
    run: Callable[..., Tally]
    only: Callable[[str], object] | None = int


ATTACKS = (
    Attack("files", "hostile files for every reader", "count", files.DEFAULT_COUNT,
           20_000, files.attack_files),
    Attack("kills", "SIGKILL at chosen moments", "count", kills.DEFAULT_COUNT,
           40, kills.attack_kills),
    Attack("mirror", "SIGKILL while a run is copied elsewhere", "count", mirror.DEFAULT_COUNT,
           12, mirror.attack_mirror),
    Attack("hosts", "strangers and odd hosts in runs on two hosts", "count", hosts.DEFAULT_COUNT,
           15, hosts.attack_hosts),
    Attack("disks", "a disk that fails at each call of a save", "share", disks.DEFAULT_SHARE,
           1.0, disks.attack_disks, str),
    Attack("simulator", "hostile arguments for every function, under sanitizers", "minutes",
           simulator.DEFAULT_MINUTES, 10.0, simulator.attack_simulator),
    Attack("lockstep", "games beside a second implementation", "count", lockstep.DEFAULT_COUNT,
           100_000, lockstep.attack_lockstep),
    Attack("soak", "a training stopped and resumed again and again", "minutes",
           soak.DEFAULT_MINUTES, 20.0, soak.attack_soak, None),
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    return run_command(lambda: _run(options))


def _parser() -> Parser:
    parser = Parser(prog="python -m attack", description="Attacks the program.")
    parser.add_argument(
        "--minutes", type=_positive, default=60.0, metavar="M",
        help="how long all attacks take together (default: 60)",
    )  # fmt: skip
    _add_seed(parser)
    parser.set_defaults(attack=None)
    commands = parser.add_subparsers(metavar="ATTACK")
    for attack in ATTACKS:
        command = commands.add_parser(attack.name, help=attack.help)
        number = int if attack.unit == "count" else _positive
        command.add_argument(
            f"--{attack.unit}", dest="amount", type=number, default=attack.amount,
            metavar="N", help=f"default: {attack.amount:g}",
        )  # fmt: skip
        if attack.only:
            command.add_argument(
                "--only", type=attack.only, metavar="ONE", help="repeat one try alone"
            )
        _add_seed(command)
        command.set_defaults(attack=attack, only=None)
    return parser


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number


def _add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")


def _run(options: argparse.Namespace) -> int:
    start_jax("cpu")
    tally = Tally()
    if options.attack:
        chosen = partial(options.attack.run, options.amount, seed=options.seed)
        tally.add(chosen(only=options.only) if options.attack.only else chosen())
    else:
        for attack in ATTACKS:
            amount = attack.in_an_hour * options.minutes / 60
            if attack.unit == "count":
                amount = max(1, round(amount))
            found = _attempt(attack, amount, options.seed)
            show(f"{attack.name}: {found.in_one_line()}")
            tally.add(found)
    show(tally.render())
    return EXIT_FOUND if tally.findings else 0


def _attempt(attack: Attack, amount: float, seed: int) -> Tally:
    """Carries out one of many attacks; one that cannot be carried out is a finding."""
    try:
        return attack.run(amount, seed=seed)
    except UserError as error:
        tally = Tally()
        tally.find(attack.name, f"{attack.name} --seed {seed}", str(error))
        return tally
    finally:
        # Readers of hostile files work in a folder that is gone now.
        os.chdir(REPOSITORY)


if __name__ == "__main__":
    sys.exit(main())
