#!/bin/sh
# Trains a run on a rented machine, or goes on with it: cloud/run.sh [OPTION...]
#
# OPTIONs are those of train.main. Read from the environment: CONFIG, the configuration's file;
# MIRROR, the URL of the folder of mirrors; OVERRIDES, further options, quoted for the shell.
set -eu
cd "$(dirname "$0")/.."
: "${CONFIG:?names the configuration}" "${MIRROR:?is the URL of the folder of mirrors}"

eval "set -- \"\$@\" ${OVERRIDES:-}"
# In this process's place, so that a signal reaches the training, and reaches it once.
exec .venv/bin/python -u -m train.main --config "$CONFIG" --set "mirror=$MIRROR" "$@"
