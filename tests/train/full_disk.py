"""A run on a disk of its own that is filled up at a chosen point, in a private mount namespace.

    unshare --mount python -m tests.train.full_disk FOLDER POINT COUNT

mounts a small file system on FOLDER, trains there until the disk is full, tries again, makes room
and trains to the end. Prints what it saw as JSON.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.train.faults import BALLAST_VARIABLE
from tests.train.running import metrics, train, train_struck, write_config

NAMESPACE = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "-r", "--mount")


def reason_to_skip() -> str | None:
    """Why there can be no disk of our own here; None where there can."""
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        return "needs Linux and unshare"
    probe = [*NAMESPACE, "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/mnt"]
    result = subprocess.run(probe, capture_output=True, text=True)
    return None if result.returncode == 0 else f"may not mount a disk: {result.stderr.strip()}"


def steps_in(folder: Path) -> list[int]:
    """The complete checkpoints of the run in a folder."""
    found = (folder / "run" / "steps").glob("*")
    return sorted(int(step.name) for step in found if step.name.isdigit())


def main(folder: Path, point: str, count: int) -> None:
    """Runs the scene on the disk `folder`."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=True)
    ballast = folder / "ballast"
    os.environ[BALLAST_VARIABLE] = str(ballast)
    config = write_config(folder, async_game_generation=False)
    filled = train_struck(config, point, "FILL_DISK", count)
    seen = {"full": [filled.returncode, filled.stderr], "steps": steps_in(folder)}
    again = train(config)
    seen |= {"still full": [again.returncode, again.stderr], "steps then": steps_in(folder)}
    ballast.unlink()
    room = train(config)
    seen |= {"room": [room.returncode, room.stderr], "begins": room.stdout.partition("\n")[0]}
    seen["metrics"] = metrics(folder)
    print(json.dumps(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
