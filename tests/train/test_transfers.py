"""An iteration transfers what it says and nothing else; see `tests.train.guarded`."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.compiling import with_cpu_devices
from tests.train.running import metrics, run_python, train, write_config

CHANGES: dict[str, Any] = {"total_iterations": 3, "use_exploit_patch": False, "final_eval_games": 2}


@pytest.mark.parametrize(
    "algorithm", ["ppo", pytest.param("expert_iteration", marks=pytest.mark.slow)]
)
def test_nothing_is_transferred_implicitly_after_the_first_iteration(tmp_path, algorithm):
    # Games, update, evaluation, checkpoint: iterations 2 and 3 have them all.
    expert = {"minibatch_size": 64, "ranking_coef": 1.0}
    config = write_config(tmp_path, algorithm=algorithm, expert_config=expert, **CHANGES)
    # On a GPU, where the tests run on one: there the guard knows transfers to the host as well.
    result = run_python("-m", "tests.train.guarded", "--config", config, "--device", "auto")
    assert result.returncode == 0, result.stderr
    assert [row["iteration"] for row in metrics(tmp_path)] == [1, 2, 3]


@pytest.mark.slow
def test_nor_on_a_number_of_devices_that_batches_are_no_multiple_of(tmp_path):
    config = write_config(tmp_path, **CHANGES)
    result = run_python(
        "-m", "tests.train.guarded", "--config", config, XLA_FLAGS=with_cpu_devices(3)
    )
    assert result.returncode == 0, result.stderr


def test_the_guard_sees_an_implicit_transfer(tmp_path):
    program = "import jax, numpy as np; jax.config.update('jax_transfer_guard', 'disallow'); "
    result = run_python("-c", program + "jax.jit(lambda x: x)(np.zeros(2))")
    assert "Disallowed host-to-device transfer" in result.stderr


@pytest.mark.slow
def test_a_profile_says_where_it_is(tmp_path):
    config = write_config(tmp_path, **(CHANGES | {"total_iterations": 5}))
    result = train(config, "--profile", "2")
    assert result.returncode == 0, result.stderr
    (said,) = [line for line in result.stdout.splitlines() if "The trace" in line]
    (folder,) = (tmp_path / "run" / "profile").iterdir()
    assert f"The trace of 2 iterations is in {folder}: open " in said
    assert list(folder.rglob("*.xplane.pb"))
    trace = Path(said.partition("open ")[2].partition(" in ")[0])
    events = json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]
    names = [event.get("name") for event in events]
    assert names.count("update") == 2
    assert names.count("games") >= 1
