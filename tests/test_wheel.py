"""What is built from the source tree, as its users get it: elsewhere, and with numpy alone."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

import bb_sim
from bb_jax.extras import MODULES
from tests.waiting import PATIENCE
from train.beasty_bar import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("bb_sim", "bb_jax", "eval", "train")
SHIPPED_POLICY = "checkpoints/champion/policies/002200.policy"
HEAVY = sorted(MODULES["train"])
pytestmark = pytest.mark.skipif(
    not (ROOT / "setup.py").exists() or importlib.util.find_spec("build") is None,
    reason="needs the source tree and the package `build`",
)


def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def sources() -> set[str]:
    """The files in the rooms, but neither caches nor what a build has made."""
    made = {".pyc", ".so", ".c", ".html"}
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*") if path.is_file()]
    return {
        str(path.relative_to(ROOT))
        for path in files
        if path.suffix not in made or {"templates", "static"} & {*path.parts}
    }


@pytest.fixture(scope="module")
def distributions(tmp_path_factory) -> Path:
    """A wheel and a source distribution, without extension modules, which take minutes."""
    folder = tmp_path_factory.mktemp("distributions")
    tree = folder / "tree"
    tree.mkdir()
    for name in (*ROOMS, "configs", "docs", Path(SHIPPED_POLICY).parent):
        shutil.copytree(
            ROOT / name, tree / name, ignore=shutil.ignore_patterns("*.so", "__pycache__")
        )
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy2(path, tree)
    command = (sys.executable, "-m", "build", "--no-isolation", "--sdist", "--wheel")
    built = run(*command, f"--outdir={folder}", cwd=tree, BB_SIM_BUILD="0")
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.fixture(scope="module")
def installed(distributions, tmp_path_factory) -> Path:
    """The wheel's contents in a folder of their own, with this source tree's extension modules."""
    folder = tmp_path_factory.mktemp("installed")
    (wheel,) = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    for built in (ROOT / "bb_sim").rglob("*.so"):
        shutil.copy2(built, folder / built.relative_to(ROOT))
    return folder


@pytest.fixture(scope="module")
def only_numpy(installed, tmp_path_factory) -> tuple[str, str]:
    """Installed packages: the wheel and numpy; the value is (interpreter's option, PYTHONPATH)."""
    folder = tmp_path_factory.mktemp("numpy")
    site = Path(np.__file__).parents[1]
    for name in ("numpy", "numpy.libs"):
        if (site / name).exists():
            (folder / name).symlink_to(site / name)
    # -S leaves out this environment's packages.
    return "-S", f"{installed}{os.pathsep}{folder}"


def test_the_wheel_holds_the_rooms_and_what_ships(distributions):
    (wheel,) = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        shipped = {name: archive.read(name) for name in names if "/shipped/" in name}
    expected = {name for name in sources() if not name.endswith(".pyx")}
    assert names - set(shipped) == expected
    assert {name.removeprefix("bb_jax/shipped/"): text for name, text in shipped.items()} == {
        str(path.relative_to(ROOT)): path.read_bytes()
        for path in (*(ROOT / "configs").iterdir(), ROOT / SHIPPED_POLICY)
    }
    assert {f"{room}/py.typed" for room in ROOMS} <= names


def test_the_source_distribution_holds_what_a_build_needs(distributions):
    (archive,) = distributions.glob("*.tar.gz")
    with tarfile.open(archive) as content:
        names = {name.partition("/")[2] for name in content.getnames()}
    needed = {"setup.py", "pyproject.toml", "LICENSE", "README.md", SHIPPED_POLICY}
    assert (
        needed | sources() | {f"configs/{path.name}" for path in (ROOT / "configs").iterdir()}
        <= names
    )
    assert {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")} <= names
    assert not {name for name in names if name.startswith(("build/", "tests/"))}


def test_the_simulator_needs_numpy_alone(only_numpy, installed, tmp_path):
    code = """
import numpy as np, bb_sim, sys
print(bb_sim.__file__)
print(bb_sim.play_opponents(np.arange(1000, dtype=np.uint64), "heuristic", "random").sum())
"""
    option, path = only_numpy
    played = run(sys.executable, option, "-c", code, cwd=tmp_path, PYTHONPATH=path)
    assert played.returncode == 0, played.stderr
    file, margins = played.stdout.split()
    assert Path(file).is_relative_to(installed)
    same = bb_sim.play_opponents(np.arange(1000, dtype=np.uint64), "heuristic", "random")
    assert int(margins) == same.sum()


def test_the_console_command_lists_its_commands_with_numpy_alone(only_numpy, tmp_path):
    option, path = only_numpy
    command = (sys.executable, option, "-m", "train.beasty_bar", "--help")
    helped = run(*command, cwd=tmp_path, PYTHONPATH=path)
    assert (helped.returncode, helped.stderr) == (0, "")
    assert [line.split()[0] for line in helped.stdout.splitlines() if line[:2] == "  "] == list(
        COMMANDS
    )


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("-m", "train.beasty_bar", "eval", "--help"), "play"),
        (("-m", "train.beasty_bar", "train", "--config", "quickstart"), "train"),
        (("-m", "eval.main", "--help"), "play"),
        (("-m", "eval.report", "quickstart"), "train"),
        (("-m", "train.main", "--help"), "train"),
        (("-m", "train.jobs", "list"), "train"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_missing_extra_is_named_in_one_sentence(only_numpy, tmp_path, arguments, extra):
    option, path = only_numpy
    refused = run(sys.executable, option, *arguments, cwd=tmp_path, PYTHONPATH=path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("error: ") and refused.stderr.count("\n") == 1
    assert f"pip install 'beasty-bar-trainer[{extra}]'" in refused.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "extra"), [("load_policy", "play"), ("make_update", "train")])
def test_a_name_that_needs_an_extra_says_so(only_numpy, tmp_path, name, extra):
    code = f"""
try:
    from bb_jax import {name}
except ImportError as error:
    print(error)
"""
    option, path = only_numpy
    said = run(sys.executable, option, "-c", code, cwd=tmp_path, PYTHONPATH=path)
    assert said.stdout.startswith(f"bb_jax.{name} needs "), said.stderr
    assert f"pip install 'beasty-bar-trainer[{extra}]'" in said.stdout


def test_the_champion_is_evaluated_by_its_name_in_an_empty_folder(installed, tmp_path):
    command = (sys.executable, "-m", "train.beasty_bar", "eval", "--checkpoint", "champion")
    options = ("--opponents", "random", "--games", "20", "--device", "cpu")
    played = run(*command, *options, cwd=tmp_path, PYTHONPATH=str(installed))
    assert played.returncode == 0, played.stderr
    assert "champion, best actions" in played.stdout, played.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_configuration_is_known_by_its_name_in_an_empty_folder(installed, tmp_path):
    command = (sys.executable, "-m", "train.beasty_bar")
    printed = run(*command, "configs", "quickstart", cwd=tmp_path, PYTHONPATH=str(installed))
    assert printed.stdout == (ROOT / "configs/quickstart.yaml").read_text("utf-8")
    # This one begins with a run that only the repository has.
    training = ("train", "--config", "configs/champion.yaml", "--device", "cpu")
    refused = run(*command, *training, cwd=tmp_path, PYTHONPATH=str(installed))
    assert refused.returncode == 2
    assert "there is no run champion_pupil" in refused.stderr
    assert "runs that come with the program: champion" in refused.stderr


@pytest.mark.slow
def test_a_wheel_from_the_source_distribution_works_in_a_fresh_environment(tmp_path):
    # Needs pip to reach the packages. Minutes: compiling, installing JAX, playing, training.
    script = str(ROOT / "scripts/try_wheel.py")
    tried = subprocess.run(
        [sys.executable, script, "--python", sys.executable, "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert tried.returncode == 0, tried.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.stat().st_size < 10e6
    # Types, as somebody else's strict mypy sees them.
    own = str(tmp_path / "venv/bin/python")
    assert run(sys.executable, "-m", "venv", "venv", cwd=tmp_path).returncode == 0
    assert run(own, "-m", "pip", "install", str(wheel), cwd=tmp_path).returncode == 0
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    strict = ("--strict", "--config-file=", "--no-incremental", "--python-executable", own)
    checked = run(sys.executable, "-m", "mypy", *strict, "program.py", cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout


PROGRAM = """
import numpy as np
from numpy.typing import NDArray

import bb_sim


def margins(seeds: NDArray[np.uint64]) -> NDArray[np.int8]:
    return bb_sim.play_opponents(seeds, "heuristic", "random")


state: bb_sim.State = bb_sim.new_game(seed=7)
actions: tuple[bb_sim.Action, ...] = tuple(bb_sim.legal_actions(state))
batch = bb_sim.GameBatch(8)
batch.reset(np.arange(8, dtype=np.uint64))
rows: NDArray[np.uint8] = batch.observations()
print(margins(np.arange(8, dtype=np.uint64)), bb_sim.render(state), actions, rows)
"""
