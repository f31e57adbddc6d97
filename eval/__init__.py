"""Matches between players, their ratings, and what is known about a run's checkpoints.

`eval.matches` plays, `eval.players` says who can play, `eval.paired` and `eval.ratings` compare,
`eval.manifest` keeps what was found; `eval.main`, `eval.tournament`, `eval.backfill` and
`eval.report` are the command lines. Nothing is imported here: `eval.agents` alone is light enough
for a worker.
"""
