"""The console command: it finds its commands, and hands arguments and exit codes through."""

import importlib
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from bb_jax.extras import MODULES, extra_of
from tests.test_project import ROOT, imported_modules, source_files
from tests.waiting import PATIENCE
from train import beasty_bar

# Of smaller extras, whose absence is told by what uses them.
ASKED_FOR_WHERE_USED = {"fsspec", "onnx"}
# Parts of the interfaces of pydantic and jinja2.
COMES_WITH_OTHERS = {"annotated_types", "markupsafe"}
# What writes this project's own files, and what other commands start.
NOT_OFFERED = {
    "eval.level_ratings",
    "eval.pictures",
    "train.beasty_bar",
    "train.config",
    "train.jobs.supervisor",
}


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    code = "import sys; from train.beasty_bar import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd, capture_output=True, text=True, timeout=PATIENCE, check=False,
        env={"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"},
    )  # fmt: skip


def test_every_command_of_the_rooms_is_offered():
    commands = set()
    for path in source_files("eval", "train", suffixes=(".py",)):
        if '\nif __name__ == "__main__":' in path.read_text("utf-8"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            commands.add(name.removesuffix(".__main__"))
    offered = {module.removesuffix(".__main__") for module, _ in beasty_bar.COMMANDS.values()}
    assert offered == commands - NOT_OFFERED


@pytest.mark.parametrize("name", beasty_bar.COMMANDS)
def test_a_command_has_a_main_function_and_shows_its_own_name(name, monkeypatch, capsys):
    program = importlib.import_module(beasty_bar.COMMANDS[name][0])
    monkeypatch.setattr(sys, "argv", [f"beasty-bar {name}", "--help"])
    with pytest.raises(SystemExit) as end:
        program.main()
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: beasty-bar {name} ")


def test_what_a_subcommand_is_called_is_shown(monkeypatch, capsys):
    program = importlib.import_module("train.jobs.__main__")
    monkeypatch.setattr(sys, "argv", ["beasty-bar jobs", "start", "--help"])
    with pytest.raises(SystemExit):
        program.main()
    assert capsys.readouterr().out.startswith("usage: beasty-bar jobs start ")


def test_arguments_agents_and_exit_codes_go_through(tmp_path):
    (tmp_path / "mine.py").write_text(
        "class First:\n"
        "    def select_action(self, state, legal_actions):\n"
        "        return legal_actions[0]\n"
    )
    played = run("tournament", "random", "mine:First", "--games", "4", cwd=tmp_path)
    assert played.returncode == 0, played.stderr
    assert "mine:First" in played.stdout
    refused = run("tournament", "random", "nobody", "--games", "4", cwd=tmp_path)
    assert refused.returncode == 2 and "nobody" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "error: a command is missing: beasty-bar --help lists the commands\n"),
        (
            ("tornament",),
            "error: there is no command tornament; the nearest is tournament "
            "(beasty-bar --help lists the commands)\n",
        ),
        (("xyz",), "error: there is no command xyz (beasty-bar --help lists the commands)\n"),
    ],
)
def test_a_command_that_is_missing_is_one_sentence(capsys, arguments, sentence):
    assert beasty_bar.main(arguments) == 2
    assert capsys.readouterr().err == sentence


def test_the_version_is_that_of_the_project(capsys):
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert beasty_bar.main(["--version"]) == 0
    assert capsys.readouterr().out == f"beasty-bar {settings['project']['version']}\n"


def test_the_extras_bring_the_modules_that_are_asked_for():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
        "optional-dependencies"
    ]
    own = "beasty-bar-trainer[play]"
    assert own in extras["train"]
    distributions = {
        module: {name.lower().replace("_", "-") for name in names}
        for module, names in packages_distributions().items()
    }
    for extra, listed in (
        ("play", extras["play"]),
        ("train", [*extras["play"], *extras["train"]]),
    ):
        brought = {re.split(r"[^\w.-]", one)[0].lower() for one in listed if one != own}
        assert all(distributions[module] & brought for module in MODULES[extra]), extra
        assert len(MODULES[extra]) == len(brought)


def test_what_the_modules_import_is_in_their_extra():
    always = {*sys.stdlib_module_names, "bb_sim", "bb_jax", "eval", "train", "numpy"}
    unknown = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in source_files("bb_jax", "eval", "train", suffixes=(".py",))
        for name in imported_modules(path)
        if name.partition(".")[0]
        not in (
            always
            | COMES_WITH_OTHERS
            | ASKED_FOR_WHERE_USED
            | set(MODULES[extra_of(".".join(path.relative_to(ROOT).with_suffix("").parts))])
        )
    }
    assert not unknown
