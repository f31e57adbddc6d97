"""The shape of the project: what imports what."""

import ast
import re
import subprocess
import sys
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
