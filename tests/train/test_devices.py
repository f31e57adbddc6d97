"""A run spread over several devices; the CPU stands in for them."""

import json
import os
from typing import Any

import pytest

from tests.compiling import with_cpu_devices
from tests.train.running import assert_alike, metrics, run_python, train, write_config

SHORT: dict[str, Any] = {
    "total_iterations": 3,
    "use_exploit_patch": False,
    "final_eval_games": 2,
    "eval_games": 6,
    "expert_config": {"minibatch_size": 60, "ranking_coef": 1.0},
}


def devices(number: int) -> dict[str, Any]:
    return {"XLA_FLAGS": with_cpu_devices(number)}


@pytest.mark.slow
@pytest.mark.parametrize("number", [2, 3])
def test_any_number_of_devices_gives_the_same_to_rounding(tmp_path, finished_run, number):
    # Neither the 16 slots of a group nor the rows of an evaluation are a multiple of three.
    config = write_config(tmp_path, async_game_generation=False)
    result = run_python(
        *("-m", "tests.train.faults", "between", "SIGTERM", 2, "--config", config),
        **devices(number),
    )
    assert result.returncode == 143, result.stderr
    assert_alike(metrics(tmp_path)[:1], metrics(finished_run(False))[:1])


@pytest.mark.parametrize(
    ("algorithm", "first", "second"),
    [
        ("ppo", 3, 1),
        pytest.param("ppo", 1, 4, marks=pytest.mark.slow),
        pytest.param("expert_iteration", 4, 3, marks=pytest.mark.slow),
    ],
)
def test_a_run_moves_from_a_number_of_devices_to_another(tmp_path, algorithm, first, second):
    one = write_config(tmp_path / "one", algorithm=algorithm, **SHORT)
    result = train(one)
    assert result.returncode == 0, result.stderr

    moved = write_config(tmp_path / "moved", algorithm=algorithm, **SHORT)
    struck = ("-m", "tests.train.faults", "between", "SIGTERM", 2, "--config", moved)
    assert run_python(*struck, **devices(first)).returncode == 143
    result = run_python("-m", "train.main", "--config", moved, **devices(second))
    assert result.returncode == 0, result.stderr
    assert_alike(metrics(tmp_path / "moved"), metrics(tmp_path / "one"))


@pytest.mark.slow
def test_a_run_keeps_its_number_of_cpu_devices_whatever_the_cores(tmp_path):
    config = write_config(tmp_path, **SHORT, checkpoint_frequency=1)
    assert train(config, "--set=total_iterations=1").returncode == 0
    one_core = ("taskset", "--cpu-list", str(min(os.sched_getaffinity(0))))
    command = ("-m", "train.main", "--config", config, "--set=total_iterations=2")
    result = run_python(*command, prefix=one_core)
    assert (result.returncode, "rounding" in result.stderr) == (0, False), result.stderr
    made_on = [
        json.loads((tmp_path / "run" / f"steps/{step}/host/metadata").read_text())["made_on"]
        for step in (1, 2)
    ]
    assert made_on[0] == made_on[1]


def test_a_run_that_cannot_keep_its_number_of_devices_says_so(tmp_path):
    config = write_config(tmp_path, **SHORT)
    assert train(config, "--set=total_iterations=1").returncode == 0
    command = ("-m", "train.main", "--config", config, "--set=total_iterations=2")
    result = run_python(*command, **devices(3))
    assert result.returncode == 0, result.stderr
    assert "equal to rounding, and not bit for bit" in result.stderr
    assert "and 3 here" in result.stderr


def test_a_minibatch_that_devices_cannot_share_is_refused(tmp_path):
    config = write_config(
        tmp_path, algorithm="expert_iteration", expert_config={"minibatch_size": 64}
    )
    result = run_python("-m", "train.main", "--config", config, **devices(3))
    assert result.returncode == 2
    expected = "error: expert_config.minibatch_size (64) cannot be spread evenly over 3 devices\n"
    assert result.stderr == expected
