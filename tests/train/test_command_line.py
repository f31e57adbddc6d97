"""Every mistake on the command line or in a configuration: one sentence, and nothing written."""

import shutil
from pathlib import Path

import pytest

from tests.train.processes import tree
from tests.train.running import REPOSITORY, metrics, run_python, write_config

CHECKPOINTS = REPOSITORY / "checkpoints"


def assert_one_sentence(result, *parts: str) -> None:
    assert result.returncode == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    for part in parts:
        assert part in lines[0]


def train(*arguments: object):
    return run_python("-m", "train.main", *arguments)


# What is wrong, by overrides on the command line, and what the sentence says.
CONFIGURATION_MISTAKES = {
    "misspelt key": (["ppo_confg.gamma=1"], ["ppo_confg.gamma", "ppo_config.gamma"]),
    "wrong type": (["total_iterations=many"], ["total_iterations", "whole number", "many"]),
    "unknown opponent": (["eval_opponents=[heuristik]"], ["heuristik", "'heuristic'"]),
    "sum of weights": (
        ["opponent_config.random_weight=0.4"],
        ["opponent_config.", "random_weight", "must be 1, not 1.3"],
    ),
    "impossible value": (["ppo_config.clip_epsilon=-1"], ["ppo_config.clip_epsilon", "-1"]),
    "no simulator but one": (["force_cython=false"], ["force_cython"]),
    "buffer": (["buffer_size=100"], ["buffer_size", "100", "40 games"]),
    "no assignment": (["seed"], ["--set seed", "KEY=VALUE"]),
    "section": (["ppo_config=3"], ["ppo_config", "section"]),
    "agent": (["python_agents=[nowhere.agents:Agent]"], ["nowhere.agents", "cannot import"]),
    "agent's class": (["python_agents=[tests.train.policies:Nobody]"], ["no class Nobody"]),
}


@pytest.mark.parametrize("mistake", CONFIGURATION_MISTAKES)
def test_a_mistake_in_the_configuration(tmp_path, mistake):
    config = write_config(tmp_path)
    overrides, parts = CONFIGURATION_MISTAKES[mistake]
    before = tree(tmp_path, CHECKPOINTS)
    result = train("--config", config, *(f"--set={override}" for override in overrides))
    assert_one_sentence(result, *parts)
    assert tree(tmp_path, CHECKPOINTS) == before


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ([], ["--config"]),
        (["--config", "nowhere.yaml"], ["nowhere.yaml", "no such configuration file"]),
        (["--config", "configs"], ["configs"]),
        (["--config", "CONFIG", "--resume", "soon"], ["--resume", "'soon'"]),
        (["--config", "CONFIG", "--resume", "-3"], ["--resume"]),
        (["--config", "CONFIG", "--resume", "3"], ["no checkpoints to resume from"]),
        (["--config", "CONFIG", "--sets", "seed=1"], ["--sets"]),
        (["--config", "CONFIG", "--device", "toaster"], ["device", "toaster", "cpu"]),
    ],
)
def test_a_mistake_on_the_command_line(tmp_path, arguments, parts):
    config = write_config(tmp_path)
    before = tree(tmp_path, CHECKPOINTS)
    assert_one_sentence(train(*(str(config) if a == "CONFIG" else a for a in arguments)), *parts)
    assert tree(tmp_path, CHECKPOINTS) == before


def test_a_gpu_that_is_not_there(tmp_path):
    if Path("/dev/nvidiactl").exists():
        pytest.skip("there is a GPU")
    config = write_config(tmp_path)
    before = tree(tmp_path)
    # By the file, not by --device, and against what the tests themselves run on.
    result = run_python("-m", "train.main", "--config", config, "--set=device=cuda")
    assert_one_sentence(result, "device cuda", "no GPU")
    assert tree(tmp_path) == before


def test_a_missing_start(tmp_path):
    # The user's configuration where the iteration 600 of their own has never been made.
    missing = f"--set=resume_from={tmp_path}/my_iter0_to_600@600"
    folder = f"--set=checkpoint_dir={tmp_path}/run"
    config = "configs/iter600_to_1000.yaml"
    before = tree(tmp_path, CHECKPOINTS)
    assert_one_sentence(
        train("--config", config, missing, folder, "--device", "cpu"),
        f"{tmp_path}/my_iter0_to_600@600",
        "`python -m train.main --config configs/iter0_to_600.yaml` makes it",
    )
    assert tree(tmp_path, CHECKPOINTS) == before


def test_a_start_that_does_not_fit(tmp_path, finished_run):
    config = write_config(tmp_path)
    source = finished_run(False) / "run"
    before = tree(tmp_path, source, CHECKPOINTS)
    mistakes = {
        (f"resume_from={source}@5",): [f"{source}@5", "no checkpoint 5", "6"],
        (f"resume_from={source}", "total_iterations=6"): ["has 6 iterations", "total_iterations"],
        (
            f"resume_from={source}",
            "total_iterations=9",
            "network_config.hidden_layers=[17, 3]",
            "network_config.kind=transformer",
            "scoring=animals",
        ): [
            "checkpoint 6 of",
            "another architecture",
            "network_config.kind is 'mlp' there and 'transformer' in this configuration",
            "network_config.hidden_layers is [16] there and [17, 3] in this configuration",
            "scoring is 'points' there and 'animals' in this configuration",
        ],
    }
    for overrides, parts in mistakes.items():
        result = train("--config", config, *(f"--set={override}" for override in overrides))
        assert_one_sentence(result, *parts)
        assert tree(tmp_path, source, CHECKPOINTS) == before


def test_a_resumed_run_with_another_configuration(tmp_path, finished_run):
    config = write_config(tmp_path, async_game_generation=False)
    shutil.copytree(finished_run(False) / "run", tmp_path / "run")
    # The lock names the process that looked last.
    (tmp_path / "run" / ".lock").unlink()

    def files():
        found = tree(tmp_path)
        found.pop(str(tmp_path / "run" / ".lock"), None)
        return found

    before = files()
    changed = ["seed=7", "ppo_config.gamma=0.5", "scoring=animals", "keep_checkpoints=9"]
    assert_one_sentence(
        train("--config", config, *(f"--set={change}" for change in changed)),
        "checkpoint 6 of",
        "seed was 42 and is 7 now",
        "ppo_config.gamma was 0.99 and is 0.5 now",
        "scoring was 'points' and is 'animals' now",
    )
    assert files() == before
    assert_one_sentence(
        train("--config", config, "--resume", "5"), "no checkpoint 5; there are: ", "6"
    )
    assert files() == before

    # What does not break the meaning is noted; here the run is finished already.
    result = train("--config", config, "--set=keep_checkpoints=9", "--set=async_num_workers=1")
    assert result.returncode == 0
    assert result.stderr.splitlines()[-2:] == [
        "note: async_num_workers has changed from 2 to 1",
        "note: keep_checkpoints has changed from 2 to 9",
    ]
    assert "is finished: 6 iterations" in result.stdout
    assert files() == before

    gentler = {"learning_rate": "1e-5", "max_grad_norm": "0.1", "target_kl": "null"}
    changes = [f"--set=ppo_config.{key}={value}" for key, value in gentler.items()]
    result = train("--config", config, "--set=total_iterations=7", *changes)
    assert result.returncode == 0
    for sentence in (
        "note: ppo_config.learning_rate has changed from 0.001 to 1e-05",
        "note: ppo_config.max_grad_norm has changed from 0.5 to 0.1",
        "note: ppo_config.target_kl has changed from 0.02 to None",
    ):
        assert sentence in result.stderr
    rates = [row["train/learning_rate"] for row in metrics(tmp_path)]
    assert rates == [1e-3] * 6 + [1e-5]
