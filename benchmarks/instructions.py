"""The number of instructions of the simulator: `python -m benchmarks.instructions`.

This needs valgrind. The games are the same each time, so the counts depend on the compiler alone,
not on the load of the machine. A step is the legal actions, the uniform choice, the turn and the
end check.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from bb_sim import OBSERVATION_SIZE, OPPONENTS, GameBatch, play_opponents


def mangled(path: str) -> str:
    """A dotted path as it is spelt in the names of Cython's C functions."""
    return "".join(f"{len(part)}{part}_" for part in path.split("."))


BATCH = mangled(f"{GameBatch.__module__}.{GameBatch.__name__}")
CHOICE = mangled(play_opponents.__module__)

GAMES = 200
TURNS = 24
# Instructions are counted inside these functions, and written out at the end of each call.
COUNTED = (
    f"__pyx_f_{BATCH}play_slice",
    f"__pyx_f_{CHOICE}select_opponent_action",
)
CALLS = (
    f"__pyx_pw_{BATCH}*play_random",
    f"__pyx_pw_{CHOICE}*play_opponents",
)
NAMES = (
    "random games, a step",
    "random games with observations, a step",
    *(f"opponent {name}, a choice" for name in OPPONENTS),
)


def play() -> None:
    """Makes the measured calls, one for each of `NAMES`."""
    seeds = np.arange(GAMES, dtype=np.uint64)
    batch = GameBatch(GAMES)
    batch.reset(seeds)
    batch.play_random()
    batch.reset(seeds)
    batch.play_random(observations=np.empty((GAMES, OBSERVATION_SIZE), np.uint8))
    for name in OPPONENTS:
        play_opponents(seeds, name, name)


def instructions(folder: Path) -> list[int]:
    """The counts of the calls of `play`, in order. Callgrind writes its files into the folder."""
    command = [
        "valgrind",
        "--tool=callgrind",
        f"--callgrind-out-file={folder}/counts",
        *(f"--toggle-collect={name}" for name in COUNTED),
        *(f"--dump-after={name}" for name in CALLS),
        *(sys.executable, "-m", "benchmarks.instructions", "--play"),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        sys.exit(f"valgrind failed: {result.stderr.strip().splitlines()[-1]}")
    counts = []
    for number in range(1, len(NAMES) + 1):
        try:
            text = (folder / f"counts.{number}").read_text(encoding="utf-8")
        except FileNotFoundError:
            sys.exit("callgrind did not see the simulator's functions: are its symbols stripped?")
        counts.append(int(re.findall(r"^totals: (\d+)", text, flags=re.MULTILINE)[0]))
    return counts


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument("--play", action="store_true", help="play the games, without counting")
    if parser.parse_args().play:
        play()
        return
    if shutil.which("valgrind") is None:
        sys.exit("valgrind, which counts the instructions, is not installed")
    with tempfile.TemporaryDirectory() as folder:
        counts = instructions(Path(folder))
    print(f"instructions, means over {GAMES * TURNS:,} turns")
    for name, count in zip(NAMES, counts, strict=True):
        print(f"{name:42}{count / (GAMES * TURNS):8,.0f}")


if __name__ == "__main__":
    main()
