"""A training and a Slurm that cost nothing, for the tests of jobs.

The fake training stands in a package `train` that finds everything but `train.main` in the real
one. It locks the run folder and logs as the real one does; what it does then is said by the
variable FAKE_TRAINING of its environment.
"""

import os
import stat
import subprocess
from pathlib import Path

from tests.train.running import REPOSITORY, write_config
from tests.waiting import PATIENCE
from tests.warm_python import run_module
from train.jobs.process import ProcessIdentity
from train.jobs.record import read_record

PACKAGE = """
from pathlib import Path
__path__.append({real!r})
"""

TRAINING = '''
"""FAKE_TRAINING: "train" until SIGTERM, "deaf" to SIGTERM, "finish" or "fail" at once."""
import fcntl, json, os, signal, sys, time
from pathlib import Path
from train.config import load_config

overrides = [sys.argv[n + 1] for n, word in enumerate(sys.argv) if word == "--set"]
config = load_config(sys.argv[sys.argv.index("--config") + 1], overrides)
run = config.run_dir
mode = os.environ["FAKE_TRAINING"]
stopped = []
deaf = mode == "deaf"
signal.signal(signal.SIGTERM, signal.SIG_IGN if deaf else lambda *_: stopped.append(True))
lock = open(run / ".lock", "a+")
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
lock.truncate(0)
print(os.getpid(), file=lock, flush=True)
if mode == "fail":
    sys.exit("error: resume_from nowhere@3: there is no run nowhere")
(run / "config.json").write_text(json.dumps({"total_iterations": config.total_iterations}))
if mode != "finish":  # A run with nothing left to do shows its table, and logs nothing.
    with open(run / "training.log", "a") as log:
        print("begins", file=log)
print("begins", *sys.argv[3:], flush=True)
iteration = 0
while not stopped and mode != "finish":
    iteration += 1
    row = {"iteration": iteration, "time/seconds": 60.0, "eval/mean_win_rate": 0.625}
    with open(run / "training_metrics.jsonl", "w" if iteration == 1 else "a") as metrics:
        print(json.dumps(row), file=metrics)
    time.sleep(0.05)
(run / "steps" / str(iteration) / "host").mkdir(parents=True, exist_ok=True)
if mode == "finish":
    table = {"iteration": config.total_iterations}
    (run / "final_evaluation.json").write_text(json.dumps(table))
print("iteration", iteration, "is saved", flush=True)
sys.exit(143 if stopped else 0)
'''

SBATCH = """
printf '%s\\n' "$@" > "$FAKE_SLURM/sbatch.arguments"
while case "$1" in --*) true;; *) false;; esac; do shift; done
cp "$1" "$FAKE_SLURM/script"
shift
printf '%s\\n' "$@" > "$FAKE_SLURM/script.arguments"
if [ -e "$FAKE_SLURM/refusal" ]; then cat "$FAKE_SLURM/refusal" >&2; exit 1; fi
echo "42;cluster"
"""
SQUEUE = """
if [ -e "$FAKE_SLURM/queue" ]; then cat "$FAKE_SLURM/queue"; exit 0; fi
echo "slurm_load_jobs error: Invalid job id specified" >&2
exit 1
"""
SACCT = """
if [ -e "$FAKE_SLURM/accounts" ]; then cat "$FAKE_SLURM/accounts"; exit 0; fi
echo "Slurm accounting storage is disabled" >&2
exit 1
"""
NOTE = 'echo "$(basename "$0") $*" >> "$FAKE_SLURM/told"\n'
SCANCEL = NOTE + 'rm -f "$FAKE_SLURM/queue"\n'


class Jobs:
    """Runs `python -m train.jobs` over the fake training, in a folder of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.config = write_config(folder)
        self.run = folder / "run"
        package = folder / "fake" / "train"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(PACKAGE.format(real=str(REPOSITORY / "train")))
        (package / "main.py").write_text(TRAINING)
        self.environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(folder / "fake"), str(REPOSITORY)]),
            "FAKE_TRAINING": "train",
        }

    def __call__(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        environment = self.environment | {"PYTHONUNBUFFERED": "1"}
        return run_module(
            "train.jobs", [*map(str, arguments)], environment, PATIENCE, folder=self.folder
        )

    def start(self, training: str = "train", *arguments: object):
        self.environment["FAKE_TRAINING"] = training
        return self("start", "--config", self.config, *arguments)


class FakeSlurm:
    """Slurm's commands as scripts; files in `folder` say what they answer and were told."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.commands = folder / "commands"
        self.commands.mkdir(parents=True)
        scripts = {"sbatch": SBATCH, "squeue": SQUEUE, "sacct": SACCT, "scancel": SCANCEL}
        for name, text in (scripts | {"scontrol": NOTE}).items():
            path = self.commands / name
            path.write_text("#!/bin/sh\n" + text)
            path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def environment(self) -> dict[str, str]:
        path = f"{self.commands}{os.pathsep}{os.environ['PATH']}"
        return {"PATH": path, "FAKE_SLURM": str(self.folder)}

    def say(self, state: str, reason: str = "None", nodes: str = "") -> None:
        (self.folder / "queue").write_text(f"{state}|{reason}|{nodes}\n")

    def forget(self) -> None:
        (self.folder / "queue").unlink(missing_ok=True)

    def script(self) -> list[str]:
        """The command of the script that was submitted."""
        arguments = (self.folder / "script.arguments").read_text().splitlines()
        return ["sh", str(self.folder / "script"), *arguments]

    def told(self) -> str:
        path = self.folder / "told"
        return path.read_text() if path.exists() else ""


def record_of(run):
    """The record of a run's job, where there surely is one."""
    record = read_record(run)
    assert record is not None
    return record


def own_process() -> ProcessIdentity:
    """The process of the tests."""
    process = ProcessIdentity.of(os.getpid())
    assert process is not None
    return process
