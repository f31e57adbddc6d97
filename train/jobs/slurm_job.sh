#!/bin/sh
# The batch script of a job: sbatch [OPTIONS] slurm_job.sh PYTHON RUN
# OPTIONS on the command line replace those below.
#SBATCH --ntasks=1
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
# Slurm sends the signal up to a minute early, and the training ends within 20 seconds of it.
#SBATCH --signal=B:USR1@60

"$1" -m train.jobs.supervisor "$2" "${SLURM_RESTART_COUNT:-0}" &
supervisor=$!
requeue=
# SIGUSR1: the time limit is near. The training stops with a checkpoint, and the job is queued again.
# SIGUSR2: the training stops with a checkpoint for good.
trap 'signalled=yes requeue=yes; kill -USR2 "$supervisor"' USR1
trap 'signalled=yes; kill -USR2 "$supervisor"' USR2
trap 'signalled=yes; kill -TERM "$supervisor"' TERM INT

# A signal interrupts `wait`.
signalled=yes
while [ "$signalled" ]; do
    signalled=
    wait "$supervisor"
    code=$?
done

# 143: the training was stopped. Any other code means that it ended by itself.
if [ "$requeue" ] && [ "$code" -eq 143 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
