"""Runs in the background, on this machine or under Slurm: `python -m train.jobs`."""
