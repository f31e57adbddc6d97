#!/bin/sh
# Builds a copy of the simulator with gcc's address and undefined-behaviour sanitizers under
# build/sanitize and runs the simulator's tests on it. Arguments go to pytest. With `--python`
# it runs Python on the copy instead; arguments go to Python.
set -eu

copy=build/sanitize
cc=${CC:-gcc}
address=$("$cc" -print-file-name=libasan.so)
undefined=$("$cc" -print-file-name=libubsan.so)
if [ ! -e "$address" ] || [ ! -e "$undefined" ]; then
    echo "error: the sanitizers need gcc with libasan and libubsan, and $cc has none" >&2
    exit 1
fi

# The sources are copied anew; what was built from them stays, so that a second run is incremental.
mkdir -p "$copy/bb_sim"
rm -rf "$copy/tests" "$copy/attack"
find "$copy/bb_sim" -name '*.p*' -type f -delete
find bb_sim tests attack -type f \( -name '*.py' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.pyi' \) |
    while IFS= read -r file; do
        mkdir -p "$copy/${file%/*}"
        cp -p "$file" "$copy/$file"
    done
cp -p setup.py pyproject.toml "$copy"
touch "$copy/README.md" "$copy/LICENSE"

python=$PWD/.venv/bin/python
cd "$copy"
sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=undefined"
CC=$cc BB_SIM_CFLAGS="-O1 -g1 -fno-omit-frame-pointer $sanitizers" BB_SIM_LDFLAGS="$sanitizers" \
    "$python" setup.py -q build_ext --inplace

# Python's own allocator would hide overruns of small buffers, and its leaks at exit are not ours.
export LD_PRELOAD="$address $undefined" PYTHONMALLOC=malloc
export ASAN_OPTIONS="detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
export UBSAN_OPTIONS=print_stacktrace=1
if [ "${1-}" = --python ]; then
    shift
    exec "$python" "$@"
fi
# A finding ends the process, and its report must not end with it in pytest's capture.
exec "$python" -m pytest -q --capture=sys -p no:cacheprovider tests/bb_sim "$@"
