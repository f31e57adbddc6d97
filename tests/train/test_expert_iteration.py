"""Expert iteration: it learns in seconds, and resumes exactly."""

import json

import pytest

from tests.train.running import SMALL, metrics, train, train_struck, write_config

EXPERT = (
    SMALL
    + """
algorithm: expert_iteration
expert_config: {minibatch_size: 64, learning_rate: 1e-3}
temperature_start: 0.1
temperature_end: 0.02
"""
)
EXPERT = EXPERT.replace("temperature_schedule: cosine\n", "temperature_schedule: linear\n", 1)

QUICK = """
experiment_name: quick
algorithm: expert_iteration
total_iterations: 30
network_config: {kind: mlp, hidden_layers: [64], dropout: 0.0}
expert_config: {learning_rate: 3e-3, minibatch_size: 1024}
lr_schedule: linear
min_learning_rate: 1e-4
temperature_start: 0.05
games_per_iteration: 1024
num_groups: 2
games_per_group: 256
async_num_workers: 2
buffer_size: 60000
opponent_config: {current_weight: 0.2, checkpoint_weight: 0.0, random_weight: 0.2,
                  heuristic_weight: 0.6}
eval_opponents: [random, heuristic]
eval_frequency: 15
eval_games: 1000
final_eval_games: 1000
checkpoint_frequency: 30
device: cpu
"""


@pytest.mark.parametrize(
    ("point", "signal", "exit_code", "count", "asynchronous"),
    [
        ("generation", "SIGTERM", 143, 50, True),
        pytest.param("between", "SIGKILL", -9, 3, False, marks=pytest.mark.slow),
    ],
)
def test_a_run_that_is_struck_goes_on_exactly_with_its_replay_buffer(
    tmp_path, point, signal, exit_code, count, asynchronous
):
    changes = {
        "async_game_generation": asynchronous,
        "total_iterations": 4,
        "exploit_patch_interval": 2,
        "exploit_patch_iterations": 2,
    }
    whole = write_config(tmp_path / "whole", EXPERT, **changes)
    result = train(whole)
    assert result.returncode == 0, result.stderr
    rows = metrics(tmp_path / "whole")
    assert rows[-1]["train/replay_positions"] > rows[0]["train/replay_positions"]
    assert rows[-1]["train/replay_positions"] <= 2000
    struck = write_config(tmp_path / "struck", EXPERT, **changes)
    assert train_struck(struck, point, signal, count).returncode == exit_code
    again = train(struck)
    assert again.returncode == 0, again.stderr
    assert metrics(tmp_path / "struck") == rows


def test_it_starts_from_a_ppo_checkpoint(tmp_path, finished_run):
    start = f"{finished_run(False) / 'run'}@6"
    config = write_config(tmp_path, EXPERT, resume_from=start, total_iterations=7)
    result = train(config)
    assert result.returncode == 0, result.stderr
    assert [row["iteration"] for row in metrics(tmp_path)] == [7]


def test_afterstates_as_policy_are_refused(tmp_path):
    config = write_config(tmp_path, EXPERT)
    result = train(config, "--set", "network_config.afterstates=true")
    assert result.returncode == 2
    assert "network_config.afterstates must be false" in result.stderr


@pytest.mark.slow
def test_seconds_of_expert_iteration_beat_random_and_heuristic(tmp_path):
    result = train(write_config(tmp_path, QUICK))
    assert result.returncode == 0, result.stderr
    content = json.loads((tmp_path / "run" / "final_evaluation.json").read_text())
    found = {row["opponent"]: row["win_rate"] for row in content["results"]}
    assert found["random"] > 0.85
    assert found["heuristic"] > 0.6
    rows = metrics(tmp_path)
    assert rows[29]["eval/mean_win_rate"] > rows[14]["eval/mean_win_rate"]
    assert rows[-1]["train/kl"] < rows[0]["train/kl"]


def test_a_searching_expert_is_the_same_for_any_number_of_workers(tmp_path):
    search = {"search": "samples=2,opponent=unknown", "minibatch_size": 64}
    changes = {"total_iterations": 1, "use_exploit_patch": False}
    rows = []
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        config = write_config(
            folder, EXPERT, expert_config=search, async_num_workers=workers, **changes
        )
        result = train(config)
        assert result.returncode == 0, result.stderr
        rows.append(metrics(folder))
    assert rows[0] == rows[1]
    plain = train(write_config(tmp_path / "plain", EXPERT, **changes))
    assert plain.returncode == 0, plain.stderr
    assert metrics(tmp_path / "plain") != rows[0]


def test_a_search_in_training_has_its_budget_in_samples(tmp_path):
    for text, complaint in (
        ("milliseconds=3", "budget in samples"),
        ("sample=3", "expert_config.search"),
    ):
        config = write_config(tmp_path, EXPERT, expert_config={"search": text})
        result = train(config)
        assert result.returncode == 2
        assert complaint in result.stderr and "Traceback" not in result.stderr
