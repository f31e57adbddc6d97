"""RUN and RUN@STEP mean the same to every command and key."""

import pytest

from bb_jax.errors import CheckpointError
from eval.runs.references import find_policy, find_run, parse_reference


def make_run(folder, *steps):
    (folder / "policies").mkdir(parents=True)
    for step in steps:
        (folder / "policies" / f"{step:06d}.policy").touch()
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working directory, with the run `mine` (steps 7 and 120) in checkpoints/."""
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "checkpoints" / "mine", 7, 120)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "run", "step"),
    [
        ("mine", "mine", None),
        ("mine@7", "mine", 7),
        ("mine@000007", "mine", 7),
        ("/data/me@lab/run", "/data/me@lab/run", None),
        ("/data/me@lab/run@7", "/data/me@lab/run", 7),
        ("a@1@2", "a@1", 2),
        ("mine@", "mine@", None),
        ("mine@x", "mine@x", None),
        ("@7", "@7", None),
    ],
)
def test_only_a_final_number_is_a_step(text, run, step):
    assert parse_reference(text) == (run, step)


def test_a_name_is_a_run_in_checkpoints(here):
    policies = here / "checkpoints" / "mine" / "policies"
    assert find_policy("mine").resolve() == policies / "000120.policy"
    assert find_policy("mine@7").name == "000007.policy"


def test_a_run_in_checkpoints_comes_before_one_that_lies_here(here, capsys):
    make_run(here / "mine", 1)
    assert find_run("mine").resolve() == here / "checkpoints" / "mine"
    assert capsys.readouterr().err == "note: mine is checkpoints/mine, not ./mine\n"
    assert find_run("./mine").resolve() == here / "mine"
    assert capsys.readouterr().err == ""


def test_a_folder_that_is_no_run_is_passed_over(here, capsys):
    (here / "mine").mkdir()
    (here / "docs").mkdir()
    assert find_run("mine").resolve() == here / "checkpoints" / "mine"
    assert capsys.readouterr().err == ""
    with pytest.raises(CheckpointError, match="there is no run docs; runs under checkpoints: mine"):
        find_run("docs")
    with pytest.raises(CheckpointError, match=r"there is no run \./docs: docs holds no run"):
        find_run("./docs")


@pytest.mark.parametrize("trace", ["config.json", "training_metrics.jsonl"])
def test_a_run_without_checkpoints_is_a_run(here, trace):
    (here / "young").mkdir()
    (here / "young" / trace).touch()
    assert find_run("young").resolve() == here / "young"
    with pytest.raises(CheckpointError, match="run young holds no policies"):
        find_policy("young")


def test_paths_and_files_stand_for_themselves(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    run = make_run(here / "me@lab" / "mine", 3)
    assert find_policy("~/me@lab/mine") == run / "policies" / "000003.policy"
    assert find_policy(f"{run}@3") == run / "policies" / "000003.policy"
    assert find_policy("~/me@lab/mine/policies/000003.policy").parent == run / "policies"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("other", "there is no run other; runs under checkpoints: mine"),
        ("mine@8", "run mine has no policy of step 8; it has 7, 120"),
        ("mine@x", "there is no run mine@x; .*a step is a number: RUN@STEP"),
        ("/nowhere/run", "there is no run /nowhere/run: /nowhere/run is no folder"),
        ("gone.policy", r"there is no policy file gone\.policy"),
        ("", "there is no run ''"),
        ("x" * 300, "there is no run xxx"),
        ("x" * 300 + ".policy", "there is no policy file xxx"),
        ("~nobody-here/run", "there is no user nobody-here"),
        ("$HOME/run", r"\$HOME is taken literally"),
        ("$HOME/a.policy", r"\$HOME is taken literally"),
        ("$nobody", r"there is no run \$nobody; runs under"),
        ("~nobody-here/a.policy", "there is no user nobody-here"),
    ],
)
def test_what_is_missing_is_named(here, text, message):
    with pytest.raises(CheckpointError, match=message):
        find_policy(text)


@pytest.fixture
def installed(here, monkeypatch):
    """Runs of an installed package: `champion`, and a `mine` that the user's own hides."""
    folder = here / "site-packages" / "checkpoints"
    make_run(folder / "champion", 2200)
    make_run(folder / "mine", 1)
    monkeypatch.setattr("eval.runs.references.SHIPPED_RUNS", folder)
    return folder


def test_a_run_of_an_installed_package_is_the_last_resort(here, installed, capsys):
    assert find_policy("champion") == installed / "champion" / "policies" / "002200.policy"
    assert find_policy("champion@2200") == find_policy("champion")
    assert find_run("mine").resolve() == here / "checkpoints" / "mine"
    own = make_run(here / "champion", 5)
    assert find_run("champion").resolve() == own
    assert capsys.readouterr().err == ""


def test_what_is_missing_names_the_installed_runs_too(here, installed):
    sentence = "runs under checkpoints: mine; runs that come with the program: champion, mine"
    with pytest.raises(CheckpointError, match=f"there is no run other; {sentence}"):
        find_run("other")
    with pytest.raises(CheckpointError, match=r"run \./champion: champion is no folder"):
        find_run("./champion")
