"""Builds the wheel and tries it as its users would: without the source tree, on several Pythons.

    python scripts/try_wheel.py                       every Python from 3.11 on that is on the PATH
    python scripts/try_wheel.py --python /path/to/it  this one; may be repeated
    python scripts/try_wheel.py --installed           only tries what this Python has installed

Each Python builds a wheel from the source distribution, in an environment of its own, and installs
it into a fresh one. There, with numpy alone, the simulator plays, and the commands that need more
say so. Then the extra `train` is installed, the champion is evaluated by its name, alone and with a
search, and the quickstart trains for two iterations. `--out FOLDER` keeps the wheels.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1]
PYTHONS = ("python3.11", "python3.12", "python3.13", "python3.14")
# Of 1,000 games between these two, from seed 0 on: the same on every machine.
OPPONENTS = ("heuristic", "random")
MARGINS = 6559
COLUMNS = (
    "python", "numpy", "jax", "wheel", "import", "1,000 games", "--help", "champion", "with search",
)  # fmt: skip


class Failure(Exception):
    """What was tried did not do what it should."""


def main() -> int:
    """Runs the command line; the exit code is 1 if something failed."""
    parser = argparse.ArgumentParser(description="Builds the wheel and tries it.")
    parser.add_argument(
        "--python", action="append", metavar="PATH", help="a Python; may be repeated"
    )
    parser.add_argument(
        "--installed", action="store_true", help="try what this Python has installed"
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="keep the wheels here")
    options = parser.parse_args()
    try:
        if options.installed:
            with tempfile.TemporaryDirectory() as folder:
                print(json.dumps(try_installed(Path(folder))))
        else:
            try_all(options.python or usable_pythons(), options.out)
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    return 0


def usable_pythons() -> list[str]:
    """The Pythons on the PATH that run; a name may be a shim with nothing behind it."""
    found = [name for name in PYTHONS if shutil.which(name) and runs([name, "-c", "import venv"])]
    if not found:
        raise Failure(f"none of {', '.join(PYTHONS)} is on the PATH and runs")
    return found


def try_all(pythons: Sequence[str], out: Path | None) -> None:
    """Builds and tries a wheel for each Python, and prints a table."""
    with tempfile.TemporaryDirectory(prefix="try-wheel-") as folder:
        work = Path(folder)
        say("building the source distribution")
        run([sys.executable, "-m", "build", "--sdist", "--outdir", str(work), str(SOURCE)])
        (source,) = work.glob("*.tar.gz")
        rows: list[tuple[str, ...]] = [COLUMNS]
        for number, python in enumerate(pythons):
            place = work / str(number)
            rows.append(try_python(python, source, place))
            if out is not None:
                out.mkdir(parents=True, exist_ok=True)
                for built in (source, *place.glob("*.whl")):
                    shutil.copy2(built, out)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def try_python(python: str, source: Path, place: Path) -> tuple[str, ...]:
    """Builds a wheel with a Python and tries it in a fresh environment; returns its row."""
    place.mkdir()
    environment, elsewhere = place / "venv", place / "elsewhere"
    elsewhere.mkdir()
    own = environment / "bin" / "python"
    run([python, "-m", "venv", str(environment)])
    pip = [str(own), "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"]
    say(f"{python}: building the wheel")
    run([*pip, "wheel", "--no-deps", "--wheel-dir", str(place), str(source)])
    (wheel,) = place.glob("*.whl")

    check = [str(own), str(Path(__file__).resolve()), "--installed"]
    say(f"{python}: trying the wheel with numpy alone")
    run([*pip, "install", str(wheel)])
    bare = json.loads(run(check, elsewhere).splitlines()[-1])
    say(f"{python}: installing the extra `train`")
    run([*pip, "install", f"{wheel}[train]"])
    run([*pip, "check"])
    say(f"{python}: evaluating the champion")
    whole = json.loads(run(check, elsewhere).splitlines()[-1])
    return (
        whole["python"],
        whole["numpy"],
        whole["jax"],
        f"{wheel.stat().st_size / 1e6:.1f} MB",
        f"{bare['import_seconds']:.2f} s",
        f"{bare['games_seconds']:.3f} s",
        f"{bare['help_seconds']:.2f} s",
        f"{100 * whole['champion']:.1f} %",
        f"{100 * whole['searching']:.1f} %",
    )


def try_installed(folder: Path) -> dict[str, object]:
    """Tries the package that this Python has installed; returns what was seen.

    Args:
      folder: an empty one, where commands run.
    """
    found: dict[str, object] = {"python": ".".join(map(str, sys.version_info[:3]))}
    begun = time.perf_counter()
    import bb_sim

    found["import_seconds"] = time.perf_counter() - begun
    import numpy as np

    found["numpy"] = np.__version__
    expect(not Path(bb_sim.__file__).is_relative_to(SOURCE), "bb_sim comes from the source tree")
    expect("jax" not in sys.modules, "import bb_sim imports JAX")
    begun = time.perf_counter()
    margins = bb_sim.play_opponents(np.arange(1000, dtype=np.uint64), *OPPONENTS)
    found["games_seconds"] = time.perf_counter() - begun
    expect(int(margins.sum()) == MARGINS, f"1,000 games have the margins {int(margins.sum())}")

    command = shutil.which("beasty-bar", path=str(Path(sys.executable).parent))
    expect(command is not None, "there is no command beasty-bar")
    program = [str(command)]
    begun = time.perf_counter()
    listed = run([*program, "--help"], folder)
    found["help_seconds"] = time.perf_counter() - begun
    expect("tournament" in listed, "beasty-bar --help does not list the commands")
    if find_spec("jax") is None:
        for name, extra in (("eval", "play"), ("train", "train")):
            refused = subprocess.run(
                [*program, name], cwd=folder, capture_output=True, text=True, check=False
            )
            asked = f"pip install 'beasty-bar-trainer[{extra}]'"
            expect(refused.returncode == 2 and asked in refused.stderr, refused.stderr)
        return found
    found["jax"] = run([sys.executable, "-c", "import jax; print(jax.__version__)"], folder).strip()
    for player, search in (("champion", ()), ("searching", ("--search", "samples=20"))):
        result = folder / f"{player}.json"
        evaluation = ["eval", "--checkpoint", "champion", "--opponents", "random", "--games", "200"]
        run([*program, *evaluation, *search, "--device", "cpu", "--json", str(result)], folder)
        won = json.loads(result.read_text(encoding="utf-8"))["results"][0]["win_rate"]
        expect(won > 0.95, f"the {player} player wins {won}")
        found[player] = won
    sizes = ("total_iterations=2", "games_per_iteration=1024", "final_eval_games=100")
    overrides = [word for size in sizes for word in ("--set", size)]
    run([*program, "train", "--config", "quickstart", "--device", "cpu", *overrides], folder)
    rows = (folder / "checkpoints/quickstart/training_metrics.jsonl").read_text(encoding="utf-8")
    expect(len(rows.splitlines()) == 2, "the training has not written two rows of metrics")
    return found


def expect(holds: bool, otherwise: str) -> None:
    """Raises Failure where something does not hold."""
    if not holds:
        raise Failure(otherwise)


def run(command: Sequence[str], folder: Path | None = None) -> str:
    """Runs a command; returns what it prints, and raises Failure with that if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def runs(command: Sequence[str]) -> bool:
    """Whether a command ends well."""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def say(text: str) -> None:
    """Says what is being done."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
