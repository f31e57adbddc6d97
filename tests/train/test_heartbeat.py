"""Output that is no terminal says what goes on, in every phase of a run that takes long."""

import re

from tests.train.running import run_python, write_config

# Runs a command with a line for every hundredth of a second of silence.
IMPATIENT = """
import sys
import eval.heartbeat
eval.heartbeat.SILENCE_SECONDS = 0.01
if __name__ == "__main__":
    from importlib import import_module
    sys.exit(import_module(sys.argv[1]).main(sys.argv[2:]))
"""


def test_every_phase_of_a_training_is_told_of(tmp_path):
    config = write_config(
        tmp_path,
        total_iterations=3,
        exploit_patch_interval=2,
        exploit_patch_iterations=2,
        exploit_patch_games=2000,
        eval_games=2000,
    )
    result = run_python("-c", IMPATIENT, "train.main", "--config", config)
    assert result.returncode == 0, result.stderr
    for phase in (
        r"iteration 1: playing games, \d+ of \d+ groups are done, for 0:\d\d",
        r"iteration 1: compiling, and learning, for 0:\d\d",
        r"evaluating, [\d,]+ of 4,000 games, for 0:\d\d",
        r"exploiter of iteration 2: 1 of 2, for 0:\d\d",
        r"exploiter of iteration 2: evaluating, [\d,]+ of 2,000 games",
    ):
        assert re.search(f"^{phase}", result.stdout, re.MULTILINE), phase


def test_a_command_that_plays_says_how_far_it_is(finished_run):
    run = finished_run(False) / "run"
    command = ("eval.main", "--checkpoint", run, "--opponents", "random", "--games", "4000")
    result = run_python("-c", IMPATIENT, *command)
    assert result.returncode == 0, result.stderr
    assert re.search(r"note: playing: [\d,]+ of 4,000 games, for 0:\d\d", result.stderr)
