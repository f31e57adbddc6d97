"""Builds the Cython simulator and adds what ships; all else about the package is in pyproject.toml.

Read from the environment: BB_SIM_CFLAGS and BB_SIM_LDFLAGS, flags added to the compiler's and the
linker's (the sanitizers', for example), and BB_SIM_BUILD=0, which installs the package without
building the simulator.
"""

import os
import platform
import shutil
import sysconfig
from pathlib import Path

from Cython.Build import cythonize
from Cython.Compiler.Errors import CompileError as CythonError
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.errors import CompileError, LinkError

SIMULATOR = Path("bb_sim")

# What an installed package brings besides its modules, and where: `SHIPPED` of bb_jax/paths.py.
SHIPPED = [
    *sorted(Path("configs").glob("*.yaml")),
    Path("configs/schema.json"),
    Path("checkpoints/champion/policies/002200.policy"),
]
SHIPPED_FOLDER = "bb_jax/shipped"

# No contraction into fused multiply-add: opponents' scores must tie alike on every machine.
# No debugging information, which Python's own flags ask for: it is nine tenths of the modules.
COMPILE_ARGS = ["-O3", "-g0", "-ffp-contract=off", "-fno-math-errno"]
if platform.machine() in ("x86_64", "AMD64"):
    COMPILE_ARGS.append("-mpopcnt")
COMPILE_ARGS += os.environ.get("BB_SIM_CFLAGS", "").split()


def require_toolchain() -> None:
    """Exits with one sentence where the C compiler or Python's headers are missing."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        raise SystemExit(
            f"error: building the simulator needs a C compiler, and {compiler!r} is not on the "
            "PATH: install gcc or clang, or name another one in CC"
        )
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not header.is_file():
        raise SystemExit(
            f"error: building the simulator needs Python's C headers, and {header} is missing: "
            "install them (python3-dev on Debian and Ubuntu, python3-devel on Fedora)"
        )


class BuildSimulator(build_ext):
    """build_ext that compiles on all cores and reports failure in one sentence."""

    parallel: int | None

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def run(self) -> None:
        super().run()
        # Not in build_extensions: there, setuptools builds elsewhere and copies afterwards.
        if self.inplace:
            remove_orphans()

    def build_extensions(self) -> None:
        require_toolchain()
        try:
            super().build_extensions()
        except (CompileError, LinkError) as failure:
            raise SystemExit(f"error: the simulator could not be built: {failure}") from None


class BuildPackages(build_py):
    """build_py that adds the shipped configurations and the champion, except to a source tree."""

    def run(self) -> None:
        super().run()
        for source, target in self._shipped():
            if not source.is_file():
                raise SystemExit(f"error: the package needs {source}, and it is missing")
            self.mkpath(os.path.dirname(target))
            self.copy_file(str(source), target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return super().get_outputs(include_bytecode) + [target for _, target in self._shipped()]

    def _shipped(self) -> list[tuple[Path, str]]:
        if self.editable_mode:
            return []
        return [(path, os.path.join(self.build_lib, SHIPPED_FOLDER, path)) for path in SHIPPED]


def remove_orphans() -> None:
    """Removes extension modules from the source tree whose source has moved away.

    Python would import such a module in place of a package of the same name.
    """
    for built in SIMULATOR.rglob("*.so"):
        if not built.with_name(f"{built.name.partition('.')[0]}.pyx").exists():
            built.unlink()


def simulator_modules() -> list[Extension]:
    """One extension module for each .pyx below bb_sim, translated to C under build/cython."""
    extensions = [
        Extension(
            ".".join(source.with_suffix("").parts),
            [str(source)],
            depends=["setup.py"],
            extra_compile_args=COMPILE_ARGS,
            extra_link_args=os.environ.get("BB_SIM_LDFLAGS", "").split(),
        )
        for source in sorted(SIMULATOR.rglob("*.pyx"))
    ]
    try:
        return cythonize(
            extensions,
            build_dir="build/cython",
            compiler_directives={
                "language_level": 3,
                "boundscheck": False,
                "wraparound": False,
                "initializedcheck": False,
                "cdivision": True,
            },
        )
    except CythonError as failure:
        raise SystemExit(f"error: Cython could not translate the simulator: {failure}") from None


setup(
    ext_modules=[] if os.environ.get("BB_SIM_BUILD") == "0" else simulator_modules(),
    cmdclass={"build_ext": BuildSimulator, "build_py": BuildPackages},
)
