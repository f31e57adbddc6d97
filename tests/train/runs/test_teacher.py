"""A teacher plays as the expert in the place of the network that learns."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from bb_jax import load_policy
from tests.train.running import metrics, train, train_struck, write_config
from tests.train.test_expert_iteration import EXPERT

SEARCH = {"search": "samples=2,opponent=known,depth=1", "minibatch_size": 64, "ranking_coef": 1.0}
SHORT: dict[str, Any] = {
    "use_exploit_patch": False,
    "total_iterations": 3,
    "async_num_workers": 1,
}
# What a row says of the games, which the expert alone has played.
GAMES = ("met/", "batch/", "generation/", "total/")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """The folder of a run of expert iteration, of a smaller network than that of the pupils."""
    folder = tmp_path_factory.mktemp("teacher")
    small = {"kind": "mlp", "hidden_layers": [8], "dropout": 0.0, "separate_policy": True}
    result = train(write_config(folder, EXPERT, network_config=small, **SHORT))
    assert result.returncode == 0, result.stderr
    return folder / "run"


def pupil(folder, teacher, **changes):
    expert = SEARCH | {"teacher": str(teacher)} | changes.pop("expert", {})
    return write_config(folder, EXPERT, expert_config=expert, **SHORT | changes)


def of_the_games(rows):
    return [{key: row[key] for key in row if key.startswith(GAMES)} for row in rows]


@pytest.mark.slow
def test_the_games_are_the_teachers_whatever_is_learned(tmp_path, teacher):
    # Past selves are the pupil's own and would play in the games.
    opponents = {
        "current_weight": 0.5,
        "checkpoint_weight": 0.0,
        "random_weight": 0.1,
        "heuristic_weight": 0.4,
    }
    rows = []
    for name, rate in (("one", 1e-3), ("other", 1e-2)):
        config = pupil(
            tmp_path / name,
            teacher,
            opponent_config=opponents,
            use_adaptive_weights=False,
            total_iterations=2,
            expert={"learning_rate": rate},
        )
        result = train(config)
        assert result.returncode == 0, result.stderr
        rows.append(metrics(tmp_path / name))
    assert of_the_games(rows[0]) == of_the_games(rows[1])
    assert len(of_the_games(rows[0])[0]) > 4
    assert rows[0][-1]["train/policy_loss"] != rows[1][-1]["train/policy_loss"]
    assert rows[0][-1]["train/ranking_loss"] > 0


def test_a_run_goes_on_exactly_without_the_folder_that_its_teacher_came_from(tmp_path, teacher):
    whole = pupil(tmp_path / "whole", teacher)
    result = train(whole)
    assert result.returncode == 0, result.stderr
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(teacher, elsewhere)
    struck = pupil(tmp_path / "struck", elsewhere)
    # Stopped, not killed: before the first save has ended there would be nothing to go on from.
    assert train_struck(struck, "between", "SIGTERM", 2).returncode == 143
    shutil.rmtree(elsewhere)
    again = train(struck)
    assert again.returncode == 0, again.stderr
    assert metrics(tmp_path / "struck") == metrics(tmp_path / "whole")
    # The pupil's own network is what comes out.
    policy = load_policy(tmp_path / "struck" / "run" / "policies" / "000003.policy")
    assert policy.network_config.hidden_layers == (16,)


@pytest.mark.slow
def test_a_run_whose_teacher_is_lost_says_so(tmp_path, teacher):
    config = pupil(tmp_path, teacher)
    assert train_struck(config, "between", "SIGTERM", 1).returncode == 143
    (tmp_path / "run" / "teacher.policy").unlink()
    result = train(config)
    assert result.returncode == 2
    assert "teacher.policy" in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"expert": {"teacher": "nowhere@7"}}, "expert_config.teacher nowhere@7: there is no run"),
        ({"expert": {"teacher": 7}}, "expert_config.teacher"),
        ({"scoring": "animals"}, "was trained for scoring by points, not by animals"),
    ],
)
def test_a_teacher_that_cannot_teach_is_refused_before_anything_is_written(
    tmp_path, teacher, changes, complaint
):
    result = train(pupil(tmp_path, teacher, **changes))
    assert result.returncode == 2
    assert complaint in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_teacher_whose_values_know_no_afterstates_is_refused(tmp_path, finished_run):
    result = train(pupil(tmp_path, finished_run(False) / "run"))
    assert result.returncode == 2
    assert "was not trained by expert iteration" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "name", ["champion", pytest.param("champion_pupil", marks=pytest.mark.slow)]
)
def test_a_step_to_the_champion_starts_with_what_comes_with_the_repository(tmp_path, name):
    path = Path(f"configs/{name}.yaml")
    begun = 380 if name == "champion" else 0
    small = {
        "total_iterations": begun + 1,
        "games_per_iteration": 40,
        "games_per_group": 16,
        "eval_games": 2,
        "final_eval_games": 2,
        "async_num_workers": 1,
        "device": "cpu",
        "checkpoint_dir": tmp_path / "run",
    }
    result = train(path, *(f"--set={key}={value}" for key, value in small.items()))
    assert result.returncode == 0, result.stderr
    assert [row["iteration"] for row in metrics(tmp_path)] == [begun + 1]
