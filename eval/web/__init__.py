"""The page in the browser: play, review, watch and analyse. `python -m eval.web` serves it."""
