#!/bin/sh
# Makes .venv-gpu: the packages of .venv, and NVIDIA's compiler and JAX's plugin for CUDA, 600 MB.
# With them JAX compiles for GPUs on a machine that has none (python -m benchmarks.gpu).
set -eu

jax=$(.venv/bin/python -c 'from importlib.metadata import version; print(version("jax"))')
.venv/bin/python -m venv --clear .venv-gpu
.venv/bin/python - <<'END' >"$(.venv-gpu/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/packages_of_venv.pth"
import sysconfig

print(sysconfig.get_path("purelib"))
END
printf 'Installing the compiler for CUDA beside JAX %s, into .venv-gpu.\n' "$jax"
.venv-gpu/bin/python -m pip install --quiet --no-input --disable-pip-version-check --no-deps \
    "jax-cuda12-plugin==$jax" "jax-cuda12-pjrt==$jax" 'nvidia-cuda-nvcc-cu12>=12.9,<13' </dev/null
