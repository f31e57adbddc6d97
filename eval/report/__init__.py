"""Curves and pages of runs: `python -m eval.report RUN`."""
