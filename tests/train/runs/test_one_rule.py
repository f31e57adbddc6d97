"""Every command and key that takes RUN resolves it by the same rule."""

import itertools
import re
from pathlib import Path

import jax
import pytest

import eval.backfill
import eval.main
import eval.report.__main__
import eval.tournament
import train.checkpoints
import train.jobs.__main__
from bb_jax import NetworkConfig, build_network, save_policy
from bb_jax.errors import UserError
from tests.train.running import REPOSITORY, write_config
from train.config import load_config
from train.runs.start import find_new_run

NETWORK = NetworkConfig(kind="mlp", hidden_layers=(8,), dropout=0.0)
MATCH = ("--games", "2", "--device", "cpu")


def key(name, *others):
    def look_up(run):
        overrides = [f"{name}={run}", *others]
        find_new_run(load_config(write_config(Path("here")), overrides))

    return look_up


# No export overwrites another.
UNUSED = (f"{number}.onnx" for number in itertools.count())
COMMANDS = {
    "eval.main": lambda run: eval.main.main(
        ["--checkpoint", run, "--opponents", "random", *MATCH],
    ),
    "eval.main --against": lambda run: eval.main.main(
        ["--checkpoint", "other", "--against", run, "--opponents", "random", "--games", "4"],
    ),
    "eval.main --opponents": lambda run: eval.main.main(
        ["--checkpoint", "other", "--opponents", run, *MATCH],
    ),
    "eval.report": lambda run: eval.report.__main__.main([run]),
    "eval.tournament": lambda run: eval.tournament.main([run, "random", *MATCH]),
    "eval.tournament --ladder": lambda run: eval.tournament.main(["--ladder", run, *MATCH]),
    "eval.backfill": lambda run: eval.backfill.main([run, *MATCH]),
    "train.jobs status": lambda run: train.jobs.__main__.main(["status", run]),
    "train.jobs view": lambda run: train.jobs.__main__.main(["view", run]),
    "train.jobs stop": lambda run: train.jobs.__main__.main(["stop", run]),
    "train.jobs resume": lambda run: train.jobs.__main__.main(["resume", run]),
    "train.checkpoints pack": lambda run: train.checkpoints.main(["pack", run, "state.policy"]),
    "train.checkpoints export": lambda run: train.checkpoints.main(["export", run, next(UNUSED)]),
    "resume_from": key("resume_from"),
    "fixed_opponents": lambda run: key("fixed_opponents")(f"[{run}]"),
    "expert_config.teacher": key("expert_config.teacher", "algorithm=expert_iteration"),
}


WITH_STEP = [
    "eval.main",
    "eval.main --against",
    "eval.main --opponents",
    "eval.tournament",
    "train.checkpoints pack",
    "train.checkpoints export",
    "resume_from",
    "fixed_opponents",
    "expert_config.teacher",
]


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    path = tmp_path_factory.mktemp("policy") / "1.policy"
    network = build_network(NETWORK, "points")
    params = network.init(jax.random.key(0), jax.numpy.zeros((1, 19), jax.numpy.uint8))
    save_policy(path, params["params"], NETWORK, "points", {})
    return path


@pytest.fixture
def both_places(tmp_path, monkeypatch, policy):
    """A run `mine` in checkpoints/ and another one in the working directory."""
    monkeypatch.chdir(tmp_path)
    for run in ("checkpoints/mine", "mine", "checkpoints/other"):
        folder = tmp_path / run / "policies"
        folder.mkdir(parents=True)
        (folder / "000001.policy").write_bytes(policy.read_bytes())


@pytest.fixture
def said(both_places, capsys):
    def said(command, run):
        try:
            COMMANDS[command](run)
        except (UserError, SystemExit) as error:
            print(error)
        return capsys.readouterr()

    return said


@pytest.mark.parametrize("command", COMMANDS)
def test_a_name_is_a_run_in_checkpoints_and_a_path_is_itself(said, command):
    assert said(command, "mine").err.count("note: mine is checkpoints/mine, not ./mine\n") == 1
    assert "note: mine" not in said(command, "./mine").err
    assert "there is no run nobody" in "".join(said(command, "nobody"))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_tilde_is_the_home_folder_and_a_variable_is_nothing(said, tmp_path, monkeypatch, command):
    monkeypatch.setenv("HOME", str(tmp_path))
    for run, sentence in {
        "~/me@lab/young": f"there is no run ~/me@lab/young: {tmp_path}/me@lab/young is no folder",
        "~nobody-here/mine": "there is no user nobody-here",
        "$HOME/mine": "$HOME is taken literally",
    }.items():
        assert sentence in "".join(said(command, run))


@pytest.mark.parametrize("command", WITH_STEP)
def test_only_a_final_number_is_a_step(said, tmp_path, monkeypatch, command):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine").rename(tmp_path / "mine@home")
    (tmp_path / "me@lab").mkdir()
    (tmp_path / "mine@home").rename(tmp_path / "me@lab" / "mine@home")
    for run in (f"{tmp_path}/me@lab/mine@home", "~/me@lab/mine@home"):
        missing = "".join(said(command, f"{run}@7"))
        assert f"run {run} has no " in missing
        assert "policy of step 7" in missing or "checkpoints" in missing
        assert "there is no run" not in "".join(said(command, run))


def test_a_run_to_merge_with_is_found_by_the_same_rule(monkeypatch, tmp_path):
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "me@lab" / "mine" / "steps").mkdir(parents=True)
    for run, sentence in {
        "~/me@lab/mine@7": "run ~/me@lab/mine has no checkpoints",
        "~/me@lab/young": f"{tmp_path}/me@lab/young is no folder",
        "mine@lab": "there is no run mine@lab",
    }.items():
        with pytest.raises(UserError, match=re.escape(sentence)):
            find_new_run(load_config("configs/champion.yaml", [f"merge_with={run}"]))
