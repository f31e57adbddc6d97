"""Evaluation: matches, the statistics of their results, and reports.

Wings, each of which imports only those before it: `runs` knows the files in a run's folder,
`matches` plays, `statistics` compares and rates, `analysis` judges positions and games, `report`
draws a run's curves. `pictures` draws the documentation's positions. The modules beside the wings
are commands (`eval.main`, `eval.tournament`, `eval.backfill`, `eval.analyse`) and what they share:
parsers, printing and tables. Nothing heavy is imported here: worker processes import
`eval.matches.agents` and must not load JAX.
"""

from bb_jax.extras import refuse_command_without_extra
from eval.interrupts import guard_imports

guard_imports()
refuse_command_without_extra()
