"""A run that is interrupted anywhere and started again has the metrics of one that was not."""

import pytest

from tests.train.running import metrics, train, train_struck, write_config

# When each point is reached in mid-run: generation is asked a dozen times an iteration.
COUNTS = {
    "generation": 90,
    "learning": 4,
    "evaluation": 2,
    "saving": 2,
    "between": 4,
    "exploiting": 4,
}
EXIT_CODES = {"SIGTERM": 143, "SIGINT": 130, "SIGKILL": -9}
FAST_CELLS = [
    ("generation", "SIGTERM", False),
    ("saving", "SIGKILL", False),
]
ALL_CELLS = [
    (point, signal, asynchronous)
    for point in COUNTS
    for signal in EXIT_CODES
    for asynchronous in (True, False)
]


def check_cell(folder, finished_run, point, signal, asynchronous):
    config = write_config(folder, async_game_generation=asynchronous)
    struck = train_struck(config, point, signal, COUNTS[point])
    assert struck.returncode == EXIT_CODES[signal], struck.stderr
    assert "Traceback" not in struck.stderr
    resumed = train(config)
    assert resumed.returncode == 0, resumed.stderr
    assert metrics(folder) == metrics(finished_run(asynchronous))


@pytest.mark.parametrize(("point", "signal", "asynchronous"), FAST_CELLS)
def test_an_interrupted_run_goes_on_exactly(tmp_path, finished_run, point, signal, asynchronous):
    check_cell(tmp_path, finished_run, point, signal, asynchronous)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "signal", "asynchronous"), [cell for cell in ALL_CELLS if cell not in FAST_CELLS]
)
def test_the_whole_matrix_goes_on_exactly(tmp_path, finished_run, point, signal, asynchronous):
    check_cell(tmp_path, finished_run, point, signal, asynchronous)


@pytest.mark.slow
def test_the_number_of_workers_changes_nothing(tmp_path, finished_run):
    config = write_config(tmp_path, async_game_generation=True)
    result = train(config, "--set", "async_num_workers=1")
    assert result.returncode == 0, result.stderr
    assert metrics(tmp_path) == metrics(finished_run(True))
