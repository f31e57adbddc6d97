"""Results are stored before they are shown, and showing them never ends the work."""

import json
import os
import shlex
import subprocess
import sys

import pytest

from eval.outputs import ForgivingOutput

TOURNAMENT = ("eval.tournament", "random", "queue")
MAIN = ("eval.main", "--checkpoint", "tiny", "--opponents", "random", "--device", "cpu")
# The one that needs JAX takes long to start; both write by the same functions.
both_commands = pytest.mark.parametrize(
    "command",
    [
        pytest.param(TOURNAMENT, id="tournament"),
        pytest.param(MAIN, id="main", marks=pytest.mark.slow),
    ],
)


def run_module(folder, module, *arguments, stdout=subprocess.PIPE, **environment):
    paths = os.pathsep.join(filter(None, sys.path))
    return subprocess.run(
        [sys.executable, "-m", module, *arguments, "--games", "20", "--json", "results.json"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, **environment},
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
    )


@pytest.fixture
def folder(tiny_checkpoints, tmp_path):
    (tmp_path / "checkpoints").symlink_to(tiny_checkpoints / "checkpoints")
    return tmp_path


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@both_commands
def test_results_are_stored_where_they_cannot_be_shown(folder, command):
    with open("/dev/full", "w") as full:
        done = run_module(folder, *command, stdout=full)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads((folder / "results.json").read_text())["results"]
    assert not (folder / "results.json.partial").exists()


@both_commands
def test_characters_that_the_console_lacks_are_replaced(folder, command):
    done = run_module(folder, *command, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    # The sign before an interval.
    assert b"?" in done.stdout and b"random" in done.stdout
    assert json.loads((folder / "results.json").read_text())["results"]


COMMANDS = {
    "eval.backfill": (["./tiny", "--games", "20"], "tiny/manifest.json"),
    "eval.report": (["./tiny"], "tiny/report/index.html"),
    "eval.pictures": (["--out", "pictures"], "pictures"),
}


FULL, CLOSED = ">/dev/full 2>/dev/full", ">&- 2>&-"
MORE_OUTPUTS = [
    ("eval.backfill", CLOSED),
    ("eval.report", FULL),
    ("eval.pictures", FULL),
    ("eval.pictures", CLOSED),
]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("command", "outputs"),
    [
        ("eval.backfill", FULL),
        ("eval.report", CLOSED),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in MORE_OUTPUTS),
    ],
)
def test_every_file_is_written_where_nothing_can_be_shown(run, command, outputs):
    (run / "training_metrics.jsonl").write_text('{"iteration": 1, "train/kl": 0.5}\n')
    arguments, result = COMMANDS[command]
    line = shlex.join([sys.executable, "-m", command, *arguments])
    paths = os.pathsep.join(filter(None, sys.path))
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(["sh", "-c", f"{line} {outputs}"], cwd=run.parent, env=environment)
    assert done.returncode == 0
    assert (run.parent / result).exists()


def test_a_reader_that_goes_away_ends_nothing():
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe:
        output = ForgivingOutput(pipe)
        for _ in range(2):
            output.write("nobody reads this\n")
            output.flush()
        assert output.lost


def test_a_closed_file_is_lost_but_other_mistakes_are_not_hidden(tmp_path):
    file = open(tmp_path / "file", "w")  # noqa: SIM115 - to be closed in the middle
    output = ForgivingOutput(file)
    with pytest.raises(TypeError):
        output.write(3)  # type: ignore[arg-type]
    file.close()
    output.write("dropped")
    assert output.lost
