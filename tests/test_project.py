"""The shape of the project: what imports what, and what the Makefile makes of a machine."""

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[1]
# In the order of imports: each may import those before it and itself.
PACKAGES = ("bb_sim", "bb_jax", "eval", "train")
BB_JAX_GROUND = (
    "errors",
    "files",
    "arrays",
    "strict_model",
    "config",
    "features",
    "devices",
    "placement",
    "batches",
)
EVAL_GROUND = ("input_lines", "outputs", "text_table")
# What each wing of a room, and each module on its ground, may import of its room beside itself.
# What lies on top of a room may import all of it.
WINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "bb_sim": {
        "rules": (),
        "opponents": ("rules",),
        "search": ("rules", "opponents"),
        "interfaces": ("rules",),
    },
    "bb_jax": {
        **dict.fromkeys(BB_JAX_GROUND, BB_JAX_GROUND),
        "networks": BB_JAX_GROUND,
        "policies": (*BB_JAX_GROUND, "networks"),
        "export": (*BB_JAX_GROUND, "networks", "policies"),
        "learning": (*BB_JAX_GROUND, "networks"),
        "ppo": (*BB_JAX_GROUND, "networks", "learning"),
        "expert": (*BB_JAX_GROUND, "networks", "learning"),
        "search": (*BB_JAX_GROUND, "networks"),
    },
    "eval": {
        **dict.fromkeys(EVAL_GROUND, EVAL_GROUND),
        "pictures": EVAL_GROUND,
        "runs": EVAL_GROUND,
        "matches": (*EVAL_GROUND, "runs"),
        "statistics": (*EVAL_GROUND, "runs", "matches"),
        "analysis": (*EVAL_GROUND, "runs", "matches", "statistics"),
        "control_variates": (*EVAL_GROUND, "runs", "matches", "statistics", "analysis"),
        "report": (*EVAL_GROUND, "runs", "matches", "statistics"),
        "guide": (
            *EVAL_GROUND,
            "pictures",
            "runs",
            "matches",
            "statistics",
            "analysis",
            "report",
        ),
        "games": (*EVAL_GROUND, "runs", "matches", "statistics", "analysis"),
        "web": (*EVAL_GROUND, "pictures", "runs", "matches", "statistics", "analysis", "games"),
        "terminal": (*EVAL_GROUND, "runs", "matches", "statistics", "analysis", "games"),
    },
    "train": {
        "interrupt": (),
        "schedules": (),
        "config": (),
        "games": ("config", "interrupt"),
        "learning": ("config", "games"),
        "runs": ("config",),
        "mirror": ("interrupt",),
        "hosts": ("interrupt", "config", "runs"),
        "jobs": ("config", "runs", "mirror"),
    },
}
WITHOUT_JAX = ("bb_sim", "train.games.worker")

SHELL = shutil.which("sh") or "/bin/sh"
MAKE = shutil.which("make")
needs_make = pytest.mark.skipif(MAKE is None, reason="make is not installed")


def source_files(*folders: str, suffixes=(".py", ".pyx", ".pxd")) -> list[Path]:
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*"))]
    return [path for path in files if path.suffix in suffixes]


def module_names(package: str) -> list[str]:
    paths = [path.relative_to(ROOT) for path in source_files(package, suffixes=(".py", ".pyx"))]
    names = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in paths}
    return sorted(name for name in names if not name.endswith("__main__"))


def imported_modules(path: Path) -> set[str]:
    """Dotted names of what a file imports, `from package import module` as both of them."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return set(re.findall(r"^[ \t]*(?:from|c?import)[ \t]+([\w.]+)", text, flags=re.MULTILINE))
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def wing_of(name: str) -> str:
    """The wing of a dotted name; "" for what lies on top of its room, the commands above all."""
    room, _, rest = name.partition(".")
    wing = rest.partition(".")[0]
    return wing if wing in WINGS.get(room, ()) and not name.endswith("__main__") else ""


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def imported_at_once(path: Path, names: set[str]) -> set[str]:
    """Which of the names a file imports when it is imported itself; packages before their parts."""
    found: set[str] = set()
    statements: list[ast.stmt] = list(ast.parse(path.read_text(encoding="utf-8")).body)
    while statements:
        node = statements.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        elif isinstance(node, ast.If | ast.Try | ast.With | ast.ClassDef):
            statements += [n for n in ast.iter_child_nodes(node) if isinstance(n, ast.stmt)]
    parents = {".".join(name.split(".")[:n]) for name in found for n in range(1, name.count("."))}
    return (found | parents) & names


def meets_itself(name: str, imports: Mapping[str, set[str]]) -> bool:
    """Whether what a module imports imports that module, which is half made by then."""
    seen: set[str] = set()
    ahead = [name]
    while ahead:
        for other in imports[ahead.pop()] - seen:
            seen.add(other)
            ahead.append(other)
    return name in seen


def test_every_module_can_be_the_first_one_imported():
    # Importing a module first and importing it later differ for circles alone. One interpreter for
    # all, since importing JAX takes seconds; the project's own modules are forgotten before each
    # that is in a circle. Extension modules stay: they cannot be loaded twice.
    code = """
import importlib, sys
failed = False
packages, circular, others = (words.split(",") for words in sys.argv[1:])
for name in [*others, *circular]:
    for loaded, module in list(sys.modules.items()):
        is_python = (getattr(module, "__file__", None) or ".py").endswith(".py")
        if name in circular and loaded.partition(".")[0] in packages and is_python:
            del sys.modules[loaded]
    try:
        importlib.import_module(name)
    except BaseException as error:
        failed = True
        print(f"import {name}: {error!r}", file=sys.stderr)
sys.exit(failed)
"""
    names = {name for package in PACKAGES for name in module_names(package)}
    imports = {}
    for name in names:
        path = ROOT.joinpath(*name.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if path.exists():
            imports[name] = imported_at_once(path, names)
        else:
            imports[name] = imported_modules(path.with_suffix(".pyx")) & names
        imports[name] |= {name.rpartition(".")[0]} & names
    circular = sorted(name for name in names if meets_itself(name, imports))
    assert "bb_jax" in circular, "a package imports its parts, which belong to it"
    groups = (PACKAGES, circular, sorted(names - set(circular)))
    result = run_python(code, *(",".join(group) for group in groups))
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", WITHOUT_JAX)
def test_jax_is_not_imported_by(name):
    modules = [module for module in module_names(name.partition(".")[0]) if module.startswith(name)]
    assert modules
    code = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*sorted({"jax", "jaxlib", "flax", "optax", "orbax"} & set(sys.modules)))
"""
    result = run_python(code, *modules)
    assert (result.returncode, result.stdout.strip()) == (0, ""), result.stderr


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way_between_rooms(package):
    forbidden = {*PACKAGES[PACKAGES.index(package) + 1 :], "tests", "benchmarks", "attack"}
    if package == "bb_sim":
        forbidden |= {"jax", "jaxlib", "flax", "optax", "orbax"}
    found = {
        str(path.relative_to(ROOT)): sorted(
            {name.partition(".")[0] for name in imported_modules(path)} & forbidden
        )
        for path in source_files(package)
    }
    assert not {path: names for path, names in found.items() if names}


@pytest.mark.parametrize("room", WINGS)
def test_imports_point_one_way_between_wings(room):
    folders = {path.parent.name for path in (ROOT / room).glob("*/__init__.py")}
    assert folders <= set(WINGS[room])
    wrong = []
    for path in source_files(room):
        importer = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        wing = wing_of(importer)
        for name in imported_modules(path) if wing else ():
            if name.startswith(f"{room}.") and wing_of(name) not in (wing, *WINGS[room][wing]):
                wrong.append(f"{importer} imports {name}")
    assert not wrong, "\n".join(wrong)


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
