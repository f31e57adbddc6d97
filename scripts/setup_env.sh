#!/bin/sh
# Makes .venv, the environment in which every target of the Makefile runs.
#
#   setup_env.sh install       creates .venv where needed and installs the project into it
#   setup_env.sh python        prints the Python that a new .venv would be made with
#   setup_env.sh accelerator   prints the JAX that would be installed: cpu, cuda12 or cuda13
#
# Read from the environment: PYTHON, the interpreter to use; ACCELERATOR, one of auto (the default),
# cpu, cuda12, cuda13; CC, the C compiler.
set -eu

say() { printf '%s\n' "$*"; }
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Exit status: 0 usable, 4 no venv module, 5 no C headers, anything else: too old or does not run.
PROBE='
import os, sys, sysconfig
if sys.version_info < (3, 11):
    sys.exit(3)
try:
    import ensurepip, venv
except ImportError:
    sys.exit(4)
sys.exit(0 if os.path.isfile(os.path.join(sysconfig.get_path("include"), "Python.h")) else 5)
'

# Every candidate is run: a name on the PATH may be a shim with no interpreter behind it.
choose_python() {
    candidates=${PYTHON:-python3.13 python3.12 python3.11 python3}
    lacking=
    [ -z "${PYTHON:-}" ] || IFS=
    for candidate in $candidates; do
        status=0
        "$candidate" -c "$PROBE" </dev/null >/dev/null 2>&1 || status=$?
        case $status in
        0)
            say "$candidate"
            return
            ;;
        4) : "${lacking:=$candidate has no venv module: install it (python3-venv on Debian and Ubuntu)}" ;;
        5) : "${lacking:=$candidate has no C headers, which building the simulator needs: install them (python3-dev on Debian and Ubuntu, python3-devel on Fedora)}" ;;
        esac
    done
    [ -z "$lacking" ] || fail "$lacking"
    [ -z "${PYTHON:-}" ] || fail "PYTHON=$PYTHON is not a Python 3.11 or newer that runs"
    fail "Python 3.11 or newer is needed, and none of $candidates is one: install it, or name it as in \`make test PYTHON=/path/to/python3.12\`"
}

require_compiler() {
    compiler=${CC:-$("$1" -c 'import sysconfig; print(sysconfig.get_config_var("CC") or "cc")')}
    compiler=${compiler%% *}
    "$compiler" --version </dev/null >/dev/null 2>&1 ||
        fail "building the simulator needs a C compiler, and '$compiler' does not run: install gcc or clang, or name another one in CC"
}

query_gpus() { nvidia-smi --query-gpu="$1" --format=csv,noheader </dev/null 2>/dev/null; }

choose_accelerator() {
    case ${ACCELERATOR:-auto} in
    auto) ;;
    cpu | cuda12 | cuda13)
        say "$ACCELERATOR"
        return
        ;;
    *) fail "ACCELERATOR=$ACCELERATOR is none of auto, cpu, cuda12, cuda13" ;;
    esac
    driver=$(query_gpus driver_version) || driver=
    driver=${driver%%.*}
    case $driver in
    '' | *[!0-9]*)
        say cpu
        return
        ;;
    esac
    if [ "$driver" -lt 525 ]; then
        say "note: the NVIDIA driver $driver is older than 525, the oldest that JAX supports: installing JAX for the CPU" >&2
        say cpu
        return
    fi
    chosen=cuda12
    [ "$driver" -lt 580 ] || chosen=cuda13
    # CUDA 13 has dropped the GPUs before compute capability 7.5.
    for capability in $(query_gpus compute_cap || :); do
        case $capability in
        [0-9].[0-9]) [ "${capability%.*}${capability#*.}" -ge 75 ] || chosen=cuda12 ;;
        esac
    done
    say "$chosen"
}

install() {
    if .venv/bin/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        require_compiler .venv/bin/python
    else
        python=$(choose_python)
        require_compiler "$python"
        say "Creating .venv with $("$python" --version)."
        "$python" -m venv --clear .venv || fail ".venv could not be created; the reason stands above"
    fi
    accelerator=$(choose_accelerator)
    extras=dev
    [ "$accelerator" = cpu ] || extras=dev,$accelerator
    quiet=
    [ -t 1 ] || quiet=--quiet
    say "Installing the dependencies, with JAX for $accelerator, into .venv. This takes a minute or two."
    # The Makefile builds the simulator afterwards, only the modules that changed.
    BB_SIM_BUILD=0 .venv/bin/python -m pip install $quiet --no-input --disable-pip-version-check \
        --editable ".[$extras]" </dev/null ||
        fail "the dependencies could not be installed; pip's reason stands above"
}

case ${1:-} in
install) install ;;
python) choose_python ;;
accelerator) choose_accelerator ;;
*) fail "setup_env.sh takes one of: install, python, accelerator" ;;
esac
