"""What the Makefile makes of a machine."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[1]
SHELL = shutil.which("sh") or "/bin/sh"
MAKE = shutil.which("make")
needs_make = pytest.mark.skipif(MAKE is None, reason="make is not installed")


def test_the_development_environment_holds_the_build_requirements():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    development = settings["project"]["optional-dependencies"]["dev"]
    assert set(settings["build-system"]["requires"]) <= set(development)


class Machine:
    """A copy of the build files on a machine whose PATH holds only the tools put there."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "a tree"
        self.bin = folder / "bin"
        self.bin.mkdir()
        (self.tree / "bb_sim").mkdir(parents=True)
        for name in ("Makefile", "pyproject.toml", "setup.py"):
            shutil.copy2(ROOT / name, self.tree)
        shutil.copytree(ROOT / "scripts", self.tree / "scripts")

    def add_tool(self, name: str, script: str) -> None:
        tool = self.bin / name
        tool.write_text(f"#!{SHELL}\n{script}\n", encoding="utf-8")
        tool.chmod(0o755)

    def add_python(self, name: str, changes: str = "") -> None:
        """Adds this interpreter under a name, after running the changes (Python code) in it."""
        site = self.bin / f"{name}-site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(changes, encoding="utf-8")
        self.add_tool(name, f"PYTHONPATH='{site}' exec '{sys.executable}' \"$@\"")

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.tree,
            env={"PATH": str(self.bin), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def set_up(self, subcommand: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run(SHELL, "scripts/setup_env.sh", subcommand, **environment)


@pytest.fixture
def machine(tmp_path) -> Machine:
    return Machine(tmp_path)


OLD = "import sys; sys.version_info = (3, 10, 14, 'final', 0)"
NO_VENV = "import sys; sys.modules['ensurepip'] = None"
NO_HEADERS = "import sysconfig; sysconfig.get_path = lambda *arguments: '/nonexistent'"


def assert_one_sentence(result: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert result.returncode != 0
    sentences = [line for line in result.stderr.splitlines() if not line.startswith("make: ")]
    assert len(sentences) == 1, result.stderr
    assert sentences[0].startswith("error: ")
    for part in parts:
        assert part in sentences[0]


def test_the_newest_python_that_works_is_chosen(machine):
    machine.add_tool("python3.13", "echo 'command not found' >&2; exit 127")
    machine.add_python("python3.12", NO_HEADERS)
    machine.add_python("python3.11", OLD)
    machine.add_python("python3")
    assert machine.set_up("python").stdout == "python3\n"
    machine.add_python("python3.14")
    assert machine.set_up("python", PYTHON="python3.14").stdout == "python3.14\n"


@pytest.mark.parametrize(
    ("changes", "part"),
    [(OLD, "Python 3.11 or newer"), (NO_VENV, "venv module"), (NO_HEADERS, "C headers")],
    ids=["old", "no venv", "no headers"],
)
def test_an_unfit_python_is_refused_in_one_sentence(machine, changes, part):
    machine.add_python("python3", changes)
    assert_one_sentence(machine.set_up("python"), part, "python3")
    assert_one_sentence(machine.set_up("python", PYTHON="python3"), part, "python3")


@pytest.mark.parametrize(
    ("driver", "capabilities", "accelerator"),
    [
        ("580.65.06", "9.0", "cuda13"),
        ("590.10", "12.0\n8.9", "cuda13"),
        ("580.65.06", "8.0\n7.0", "cuda12"),
        ("575.51.03", "9.0", "cuda12"),
        ("525.60", "7.0", "cuda12"),
        ("470.199.02", "7.0", "cpu"),
        ("NVIDIA-SMI has failed", "", "cpu"),
        ("No devices were found", "", "cpu"),
    ],
)
def test_the_driver_decides_about_cuda(machine, driver, capabilities, accelerator):
    machine.add_tool(
        "nvidia-smi",
        f"case $* in *driver_version*) echo '{driver}' ;; *) echo '{capabilities}' ;; esac",
    )
    assert machine.set_up("accelerator").stdout.strip() == accelerator


def test_without_nvidia_smi_jax_is_for_the_cpu_unless_told_otherwise(machine):
    assert machine.set_up("accelerator").stdout == "cpu\n"
    assert machine.set_up("accelerator", ACCELERATOR="cuda12").stdout == "cuda12\n"
    assert_one_sentence(machine.set_up("accelerator", ACCELERATOR="tpu"), "tpu", "cuda13")


@needs_make
def test_make_without_python_or_compiler_says_so_and_makes_nothing(machine):
    assert_one_sentence(machine.run(MAKE, "test"), "Python 3.11 or newer", "python3.12")
    machine.add_python("python3")
    assert_one_sentence(machine.run(MAKE, "test", CC="missing-cc"), "C compiler", "missing-cc")
    machine.add_tool("broken-cc", "exit 1")
    assert_one_sentence(machine.run(MAKE, "lint", CC="broken-cc"), "C compiler", "broken-cc")
    assert not (machine.tree / ".venv").exists()


@needs_make
def test_make_installs_once_and_rebuilds_only_a_changed_simulator(machine):
    # An interpreter that makes a .venv of itself and writes down what else it is asked for.
    machine.add_tool("cc", "exit 0")
    machine.add_tool(
        "python3",
        f"""case "$1 $2" in
        "-m venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
        -c*) exec '{sys.executable}' "$@" ;;
        *) echo "$*" >>calls ;;
        esac""",
    )
    for tool in ("mkdir", "cp", "touch"):
        (machine.bin / tool).symlink_to(shutil.which(tool) or tool)
    source = machine.tree / "bb_sim" / "engine.pyx"
    source.touch()

    def calls_of_make_test() -> list[str]:
        calls = machine.tree / "calls"
        calls.unlink(missing_ok=True)
        result = machine.run(MAKE, "test", CC="cc")
        assert result.returncode == 0, result.stderr
        kinds = {"-m pip": "install", "setup.py": "build", "-m pytest": "test"}
        lines = calls.read_text(encoding="utf-8").splitlines()
        return [kind for line in lines for start, kind in kinds.items() if line.startswith(start)]

    assert calls_of_make_test() == ["install", "build", "test"]
    assert calls_of_make_test() == ["test"]
    stamp = (machine.tree / "build" / ".simulator").stat().st_mtime
    os.utime(source, (stamp + 10, stamp + 10))
    assert calls_of_make_test() == ["build", "test"]
    (machine.tree / ".venv" / "bin" / "python").unlink()
    assert calls_of_make_test() == ["install", "build", "test"]


def test_setup_without_a_compiler_says_so_in_one_sentence(machine):
    (machine.tree / "bb_sim" / "tiny.pyx").write_text("x = 1\n", encoding="utf-8")
    for name in ("README.md", "LICENSE"):
        (machine.tree / name).touch()
    command = (sys.executable, "setup.py", "-q", "build_ext", "--inplace")
    assert_one_sentence(machine.run(*command, CC="missing-cc"), "C compiler", "missing-cc")


def test_an_extension_whose_source_has_gone_is_removed(machine):
    # A compiler that makes empty files.
    make_output = 'while [ $# -gt 0 ]; do [ "$1" != -o ] || : >"$2"; shift; done'
    machine.add_tool("fake-cc", make_output)
    wing = machine.tree / "bb_sim" / "wing"
    wing.mkdir()
    for name in ("README.md", "LICENSE"):
        (machine.tree / name).touch()
    (wing / "tiny.pyx").write_text("x = 1\n", encoding="utf-8")
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    (wing / f"moved{suffix}").touch()
    (machine.tree / "bb_sim" / f"wing{suffix}").touch()
    command = (sys.executable, "setup.py", "-q", "build_ext", "--inplace")
    result = machine.run(*command, CC="fake-cc", LDSHARED="fake-cc -shared")
    assert result.returncode == 0, result.stderr
    left = [path.relative_to(machine.tree) for path in (machine.tree / "bb_sim").rglob("*.so")]
    assert left == [Path("bb_sim", "wing", f"tiny{suffix}")]
