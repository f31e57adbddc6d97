"""Evaluation: matches, the statistics of their results, and reports.

The wings, each of which imports only those before it: `runs` knows the files of a run's folder,
`matches` plays, `statistics` compares and rates, `report` shows. The commands on top are
`eval.main`, `eval.tournament`, `eval.backfill` and `eval.report`. Nothing is imported here, so that
a worker process can import `eval.matches.agents` without JAX.
"""
