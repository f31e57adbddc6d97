#!/bin/sh
# Prepares a rented machine or an image to train: cloud/setup.sh, in any folder.
#
# Read from the environment: MIRROR, the URL of the folder of mirrors, whose kind decides what is
# installed for it; and what scripts/setup_env.sh reads.
set -eu
cd "$(dirname "$0")/.."

# Many images have an older Python, or none with headers. uv brings one that has all.
if ! /bin/sh scripts/setup_env.sh python >/dev/null 2>&1; then
    PATH=$HOME/.local/bin:$PATH
    command -v uv >/dev/null || python3 -m pip install --quiet --user uv
    uv python install 3.12
    PYTHON=$(uv python find 3.12)
    export PYTHON
fi
make --no-print-directory build/.simulator

case ${MIRROR:-} in
s3:*) extra=s3 ;;
gs:* | gcs:*) extra=gcs ;;
*) extra=cloud ;;
esac
BB_SIM_BUILD=0 .venv/bin/python -m pip install --quiet --no-input --disable-pip-version-check \
    --editable ".[$extra]" </dev/null
