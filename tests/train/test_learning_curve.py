"""A small network learns to win, from zero, in seconds."""

import json

import pytest

from bb_jax import NetworkConfig, build_network, init_params, make_greedy_policy
from bb_sim import OPPONENTS
from eval.matches.match import evaluate
from tests.train.running import REPOSITORY, metrics, run_python, train, write_config

QUICK = """
experiment_name: quick
total_iterations: 16
network_config: {kind: mlp, hidden_layers: [64], dropout: 0.0}
ppo_config: {learning_rate: 3e-3, minibatch_size: 512, ppo_epochs: 4, gamma: 1.0,
             gae_lambda: 0.85, entropy_coef: 0.01}
games_per_iteration: 512
num_groups: 2
games_per_group: 256
async_num_workers: 2
buffer_size: 30000
opponent_config: {current_weight: 0.3, checkpoint_weight: 0.0, random_weight: 0.2,
                  heuristic_weight: 0.5}
eval_opponents: [random, heuristic]
eval_frequency: 8
eval_games: 500
final_eval_games: 500
checkpoint_frequency: 16
device: cpu
"""


def win_rates(folder):
    content = json.loads((folder / "run" / "final_evaluation.json").read_text())
    return {result["opponent"]: result["win_rate"] for result in content["results"]}


def test_a_fresh_network_wins_about_as_often_as_it_loses():
    network = build_network(NetworkConfig(kind="mlp", hidden_layers=(64,)))
    policy = make_greedy_policy(network, init_params(network, 0), 1024)
    found = {r.opponent: r.win_rate for r in evaluate(policy, ["random", "heuristic"], 1000, 0)}
    assert found["random"] < 0.65
    assert found["heuristic"] < 0.3


@pytest.mark.parametrize("asynchronous", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_seconds_of_learning_beat_random_and_heuristic(tmp_path, asynchronous):
    result = train(write_config(tmp_path, QUICK, async_game_generation=asynchronous))
    assert result.returncode == 0, result.stderr
    found = win_rates(tmp_path)
    assert found["random"] > 0.8
    assert found["heuristic"] > 0.5
    rows = metrics(tmp_path)
    assert rows[15]["eval/mean_win_rate"] > rows[7]["eval/mean_win_rate"] > 0.4
    assert rows[-1]["train/entropy"] < 0.9 * rows[0]["train/entropy"]
    assert rows[-1]["train/explained_variance"] > 0.3 > rows[0]["train/explained_variance"]
    assert rows[-1]["met/random/win_rate"] > rows[0]["met/random/win_rate"]


@pytest.mark.slow
def test_a_minute_of_the_quickstart_beats_all_ten(tmp_path):
    config = REPOSITORY / "configs" / "quickstart.yaml"
    sizes = {
        "checkpoint_dir": tmp_path / "run",
        "total_iterations": 120,
        "eval_frequency": 120,
        "final_eval_games": 2000,
        "device": "cpu",
    }
    result = train(config, *(f"--set={key}={value}" for key, value in sizes.items()))
    assert result.returncode == 0, result.stderr
    found = win_rates(tmp_path)
    assert set(found) == set(OPPONENTS)
    assert found["random"] > 0.92
    assert min(found.values()) > 0.6


@pytest.mark.slow
def test_the_benchmark_goes_on_with_the_runs_that_are_missing(tmp_path):
    sizes = ["games_per_iteration=64", "network_config.hidden_layers=[8]"]
    sizes += ["exploit_patch_iterations=1", "exploit_patch_games=4", "device=cpu"]
    command = ["-m", "benchmarks.learning_curves", "--seconds", "0.1", "--eval-games", "4"]
    command += ["--final-games", "4", "--folder", tmp_path, *(f"--set={size}" for size in sizes)]

    def variants_run(seeds):
        result = run_python(*command, "--seeds", seeds)
        assert result.returncode == 0, result.stderr
        lines = result.stdout.splitlines()
        assert any(line.split()[:1] == ["distilled_outcome"] for line in lines)
        return [line.partition(",")[0] for line in lines if " iterations ..." in line]

    variants = ["quickstart", "fixed weights", "exploit-patch", "synchronous"]
    assert variants_run(1) == variants
    stored = json.loads((tmp_path / "results.json").read_text())
    assert [(run["variant"], run["seed"]) for run in stored["runs"]] == [(v, 1) for v in variants]
    assert all(len(run["curve"]) == 10 for run in stored["runs"])
    assert all(set(run["final"]) == set(OPPONENTS) for run in stored["runs"])
    assert (tmp_path / "learning_curves.png").stat().st_size > 10_000

    # One of them is missing now.
    stored["runs"] = stored["runs"][:2] + stored["runs"][3:]
    (tmp_path / "results.json").write_text(json.dumps(stored))
    assert variants_run(1) == ["exploit-patch"]
    other = run_python(*command, "--seeds", "1", "--set=seed=3")
    assert other.returncode == 1
    assert "other settings" in other.stderr
