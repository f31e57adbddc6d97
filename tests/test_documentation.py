"""The documentation tells the truth: its Python runs, and what it names exists."""

import importlib
import itertools
import json
import re
import shlex
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple
from unittest.mock import MagicMock, call

import pytest

import train.checkpoints
from tests.test_project import WINGS
from train import beasty_bar
from train.config import load_config

ROOT = Path(__file__).resolve().parents[1]
TOP_PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
PAGES = [*(ROOT / name for name in TOP_PAGES), *sorted((ROOT / "docs").glob("*.md"))]
TRACKERS = "docs/experiment-trackers.md"
pytestmark = pytest.mark.skipif(not PAGES[0].exists(), reason="the documentation is not at hand")

ROOMS = "bb_sim|bb_jax|eval|train|tests|benchmarks|scripts|configs|docs"
FILE = re.compile(rf"(?:{ROOMS}|checkpoints)/[\w./-]+\.(?:pyx|pxd|py|sh|yaml|json|md|svg|policy)")
SOURCE_NAME = re.compile(r"\w+\.(?:pyx|pxd|py)")
NAMED = re.compile(r"--config[a-z]\w*$")
DOTTED_NAME = re.compile(r"((?:bb_sim|bb_jax|eval|train|benchmarks)(?:\.\w+)+)(?:\(.*\))?", re.S)
# What a block of Python needs that a plain installation lacks.
EXTRAS = {
    "bb_sim.interfaces.pettingzoo_env": "pettingzoo",
    "pyspiel": "pyspiel",
    "onnxruntime": "onnxruntime",
}


class Fragment(NamedTuple):
    """A piece of a page, with the line it begins on."""

    page: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def fragments(pattern: str, *, code: bool) -> list[Fragment]:
    """The first group of each match, in the pages with or without their blocks of code."""
    found = []
    for page in PAGES if PAGES[0].exists() else ():
        text = page.read_text("utf-8")
        if not code:
            text = re.sub(r"```.*?```", lambda block: "\n" * block[0].count("\n"), text, flags=re.S)
        name = str(page.relative_to(ROOT))
        for match in re.finditer(pattern, text, re.S | re.M):
            found.append(Fragment(name, text.count("\n", 0, match.start()) + 1, match[1]))
    return found


INLINE_CODE = fragments(r"(?<!`)`([^`]+)`(?!`)", code=False)
LINKS = fragments(r"\]\(([^)\s]+)\)", code=False) + fragments(r'src(?:set)?="([^"]+)"', code=False)


def commands() -> list[Fragment]:
    """Command lines in blocks of shell and in inline code."""
    found = []
    for block in fragments(r"```sh\n(.*?)```", code=True):
        lines = block.text.replace("\\\n", " ").splitlines()
        found += [Fragment(block.page, block.line, line.partition(" #")[0]) for line in lines]
    found += [code._replace(text=" ".join(code.text.split())) for code in INLINE_CODE]
    return [one for one in found if re.search(r"\bpython -m \w|^(make|beasty-bar) [a-z]", one.text)]


COMMANDS = commands()


@pytest.fixture(scope="session")
def exports(tmp_path_factory):
    """A folder with the files that the page on exports has made."""
    folder = tmp_path_factory.mktemp("exports")
    for name in ("champion.onnx", "champion.jax"):
        champion = ROOT / "checkpoints" / "champion"
        assert train.checkpoints.main(["export", str(champion), str(folder / name)]) == 0
    return folder


@pytest.mark.parametrize(
    "block",
    [b for b in fragments(r"```python\n(.*?)```", code=True) if b.page != TRACKERS],
    ids=str,
)
def test_a_block_of_python_runs(block, monkeypatch, request):
    for needed, module in EXTRAS.items():
        if needed in block.text:
            pytest.importorskip(module, reason=f"{module} is not installed")
    uses_exports = re.search(r"champion\.(onnx|jax)", block.text)
    monkeypatch.chdir(request.getfixturevalue("exports") if uses_exports else ROOT)
    exec(compile(block.text, str(block), "exec"), {"__name__": "example"})


def test_a_tracker_is_given_every_number_of_a_run(tmp_path, monkeypatch):
    rows = [{"iteration": 1, "train/entropy": 0.5, "best": None}, {"iteration": 2, "games": 64}]
    run = tmp_path / "checkpoints" / "quickstart"
    run.mkdir(parents=True)
    (run / "training_metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (run / "config.json").write_text(json.dumps({"seed": 7}))
    monkeypatch.chdir(tmp_path)
    # They would send the run somewhere.
    trackers = {"wandb": MagicMock(), "mlflow": MagicMock()}
    for name, module in trackers.items():
        monkeypatch.setitem(sys.modules, name, module)
    blocks = [b for b in fragments(r"```python\n(.*?)```", code=True) if b.page == TRACKERS]
    for block in blocks:
        exec(compile(block.text, str(block), "exec"), {"__name__": "example"})
    expected = [call({"iteration": 1, "train/entropy": 0.5}, step=1), call(rows[1], step=2)]
    assert trackers["mlflow"].log_metrics.call_args_list == expected
    assert trackers["mlflow"].log_param.call_args_list == [call("seed", 7)]
    started = trackers["wandb"].init
    assert started.call_args.kwargs["config"] == {"seed": 7}
    assert started.return_value.__enter__.return_value.log.call_args_list == expected


def test_the_examples_of_onnx_need_numpy_and_the_simulator_alone():
    blocks = [b for b in fragments(r"```python\n(.*?)```", code=True) if "onnxruntime" in b.text]
    assert blocks
    for block in blocks:
        imported = set(re.findall(r"^(?:import|from) (\w+)", block.text, re.M))
        assert imported == {"numpy", "onnxruntime", "bb_sim"}


@pytest.mark.parametrize(
    "command", [one for one in COMMANDS if not one.text.startswith("make ")], ids=str
)
def test_a_command_names_a_module_its_options_and_its_files(command, monkeypatch, capsys):
    typed = re.sub(r"[\[\]]", " ", command.text)
    name, *arguments = shlex.split(typed.partition("python -m ")[2] or typed)
    module = name
    if name == "beasty-bar":
        module = beasty_bar.COMMANDS[arguments.pop(0)][0].removesuffix(".__main__")
    entry = importlib.util.find_spec(f"{module}.__main__") if is_package(module) else None
    program = importlib.import_module(entry.name if entry else module)
    if options := {word.partition("=")[0] for word in arguments if word.startswith("--")}:
        with_subcommands = module in ("train.jobs", "train.checkpoints", "train.mirror", "attack")
        subcommand = arguments[:1] if with_subcommands else []
        monkeypatch.setattr(sys, "argv", [module, *subcommand, "--help"])
        with pytest.raises(SystemExit) as end:
            program.main()
        assert end.value.code == 0
        known = set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out))
        assert options <= known
    given = list(itertools.pairwise(arguments))
    configs = [value for option, value in given if option == "--config" and "/" in value]
    overrides = [value for option, value in given if option == "--set" and value != "KEY=VALUE"]
    configs += [f"configs/{value}.yaml" for option, value in given if NAMED.match(option + value)]
    for config in configs:
        load_config(ROOT / config, overrides)
    for word in arguments:
        assert not FILE.fullmatch(word) or (ROOT / word).exists()


@cache
def is_package(module: str) -> bool:
    spec = importlib.util.find_spec(module)
    assert spec is not None, f"there is no module {module}"
    return spec.submodule_search_locations is not None


@pytest.mark.parametrize(
    "command", [one for one in COMMANDS if one.text.startswith("make ")], ids=str
)
def test_a_make_command_names_a_target_its_variables_and_its_files(command):
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for word in shlex.split(command.text)[1:]:
        variable, is_variable, value = word.partition("=")
        assert re.search(rf"^{variable} \?=|\$\({variable}\)|^{variable}[ a-z-]*:", makefile, re.M)
        assert not is_variable or "/" not in value or (ROOT / value).exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    broken = []
    for link in LINKS:
        target, _, anchor = link.text.partition("#")
        if link.page != str(page.relative_to(ROOT)) or target.startswith(("http:", "https:")):
            continue
        goal = (page.parent / target) if target else page
        if not goal.exists() or (anchor and anchor not in anchors(goal)):
            broken.append(f"{link} {link.text}")
    assert not broken


@cache
def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as code hosting pages make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_and_python_names_in_the_text_exist(page):
    sources = {path.name for room in ROOMS.split("|") for path in (ROOT / room).rglob("*.p*")}
    sources |= {path.name for path in ROOT.glob("*.py")}
    missing = []
    for code in INLINE_CODE:
        if code.page != str(page.relative_to(ROOT)):
            continue
        text = code.text
        if (
            (FILE.fullmatch(text) and not (ROOT / text).exists())
            or (SOURCE_NAME.fullmatch(text) and text not in sources)
            or ((name := DOTTED_NAME.fullmatch(text)) and not has_python_name(name[1]))
        ):
            missing.append(f"{code} {text}")
    assert not missing


def test_the_map_of_the_rooms_says_which_wing_may_import_which():
    page = (ROOT / "docs" / "how-it-works.md").read_text("utf-8")
    drawn = {}
    for room, section in re.findall(r"^### `(\w+)`[^\n]*\n(.*?)(?=^##)", page, re.S | re.M):
        rows = re.findall(r"^\| `(\w+)` \|.*\|([^|]*)\|$", section, re.M)
        drawn[room] = {wing: set(re.findall(r"`(\w+)`", imports)) for wing, imports in rows}
    checked = {
        room: {
            wing: {name for name in imports if (ROOT / room / name).is_dir()}
            for wing, imports in wings.items()
            if (ROOT / room / wing).is_dir()
        }
        for room, wings in WINGS.items()
    }
    assert drawn == checked


def has_python_name(name: str) -> bool:
    """Whether a dotted name is a module or something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False
