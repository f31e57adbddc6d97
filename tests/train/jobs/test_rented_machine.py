"""What runs on a rented machine, run here: the scripts of `cloud`, with a folder as the bucket."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.train.running import REPOSITORY, SMALL
from tests.waiting import PATIENCE, wait_until
from train.mirror.mirror import Mirror
from train.mirror.storage import Storage

CLOUD = REPOSITORY / "cloud"
TASK = yaml.safe_load((CLOUD / "sky.yaml").read_text())
OVERRIDES = {
    key: value
    for key, _, value in (line.partition(": ") for line in SMALL.strip().splitlines())
    if not value.startswith("{") and key != "experiment_name"
} | {
    "network_config.hidden_layers": "[16]",
    "ppo_config.minibatch_size": "128",
    "checkpoint_frequency": "1",
    "total_iterations": "8",
    "exploit_patch_interval": "100",
    "checkpoint_dir": "null",
}


def test_the_image_is_made_by_the_scripts_that_the_task_runs():
    lines = (CLOUD / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    steps = [line for line in lines if re.match("(RUN|ENTRYPOINT|COPY) ", line)]
    assert steps[1:] == ["COPY . .", "RUN cloud/setup.sh", 'ENTRYPOINT ["cloud/run.sh"]']
    assert "apt-get install" in steps[0]
    assert TASK["setup"].split() == ["cloud/setup.sh"]
    assert "cloud/run.sh" in TASK["run"]


@pytest.mark.parametrize(("code", "job"), [(0, 0), (130, 0), (143, 143), (2, 2), (137, 137)])
def test_a_stop_on_request_alone_ends_the_job_well(code, job, tmp_path):
    script = tmp_path / "cloud" / "run.sh"
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\nexit {code}\n")
    script.chmod(0o755)
    done = subprocess.run(["bash", "-c", TASK["run"]], cwd=tmp_path, timeout=PATIENCE)
    assert done.returncode == job


@pytest.mark.parametrize("lacking", ["CONFIG", "MIRROR"])
def test_without_a_configuration_or_a_mirror_nothing_runs(lacking):
    variables = {"CONFIG": "configs/quickstart.yaml", "MIRROR": "file:///nowhere"}
    del variables[lacking]
    done = subprocess.run(
        [CLOUD / "run.sh"],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode
    assert lacking in done.stderr


class Machine:
    """A bare folder with what is sent to a machine; `bucket` is what outlives it."""

    def __init__(self, folder: Path, bucket: Path):
        self.folder = folder
        self.run_folder = folder / "checkpoints" / "quickstart"
        words = [word for key, value in OVERRIDES.items() for word in ("--set", f"{key}={value}")]
        self._environment = {
            **{key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
            **TASK["envs"],
            "OVERRIDES": shlex.join(words),
            "MIRROR": bucket.as_uri(),
            "PYTHON": sys.executable,
            "ACCELERATOR": "cpu",
        }
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"],
            cwd=REPOSITORY, capture_output=True, check=True, timeout=PATIENCE,
        ).stdout  # fmt: skip
        for name in filter(None, listed.decode().split("\0")):
            source = REPOSITORY / name
            # The states that are shipped are large, and nothing here needs them.
            if source.is_file() and not name.startswith("checkpoints/"):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, folder / name)

    def start(self, what: str, *overrides: str) -> subprocess.Popen[str]:
        """Runs the task's `setup` or `run` as SkyPilot does, with further overrides."""
        words = [self._environment["OVERRIDES"], *(f"--set {override}" for override in overrides)]
        return subprocess.Popen(
            ["bash", "-c", TASK[what]],
            cwd=self.folder,
            env=self._environment | {"OVERRIDES": " ".join(words)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def metrics(self) -> list[str]:
        rows = (self.run_folder / "training_metrics.jsonl").read_text().splitlines()
        return [re.sub(r', "time/.*', "", row) for row in rows]


def newest(mirror: Mirror) -> int:
    return max(mirror.steps(), default=0)


def wait_beyond(step: int, mirror: Mirror, trains: subprocess.Popen[str]) -> None:
    """Waits until a later step is copied, or the training has ended."""
    wait_until(lambda: newest(mirror) > step or trains.poll() is not None, "a later checkpoint")


@pytest.mark.slow
@pytest.mark.skipif(not (REPOSITORY / ".git").exists(), reason="this is no clone")
def test_a_machine_that_is_set_up_killed_and_lost_goes_on_from_the_bucket(tmp_path):
    bucket = tmp_path / "bucket" / "runs"
    machine = Machine(tmp_path / "machine", bucket)
    output, _ = (setup := machine.start("setup")).communicate(timeout=1500)
    assert setup.returncode == 0, output
    mirror = Mirror(Storage(f"{bucket.as_uri()}/quickstart"))

    for _ in range(2):
        before, trains = newest(mirror), machine.start("run")
        wait_beyond(before, mirror, trains)
        os.killpg(trains.pid, signal.SIGKILL)
        trains.communicate(timeout=PATIENCE)
        last = newest(mirror)
        shutil.rmtree(machine.run_folder)
    trains = machine.start("run")
    output, _ = trains.communicate(timeout=PATIENCE)
    assert trains.returncode == 0, output
    assert f"restored from the mirror {mirror.url}: checkpoints" in output
    assert f"begins with checkpoint {last} of" in output
    assert mirror.steps()[-1] == 8
    interrupted = machine.metrics()

    # Asked to stop, it saves and copies, and the job ends well.
    shutil.rmtree(machine.run_folder)
    shutil.rmtree(bucket)
    trains = machine.start("run", "total_iterations=100000")
    wait_beyond(0, mirror, trains)
    mirror.request_stop()
    output, _ = trains.communicate(timeout=PATIENCE)
    assert trains.returncode == 0, output
    assert "stopped by SIGINT" in output
    assert newest(mirror) < 100000

    # Undisturbed, it would have been the same run.
    shutil.rmtree(machine.run_folder)
    shutil.rmtree(bucket)
    output, _ = (trains := machine.start("run")).communicate(timeout=PATIENCE)
    assert trains.returncode == 0, output
    assert machine.metrics() == interrupted
