"""Training: the main job, its games, its learning, its runs and its hosts."""

from eval.interrupts import guard_imports

guard_imports()
