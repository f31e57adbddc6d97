"""Matches between players and their tables.

`eval.matches` plays, `eval.players` says who can play, `eval.table` shows results and `eval.main`
is the command line. Nothing is imported here: `eval.agents` alone is light enough for a worker.
"""
