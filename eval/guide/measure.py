"""All measurements of the guide, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from bb_jax.policies.policy_file import Policy
from bb_jax.search.config import UNKNOWN, SearchConfig
from eval.guide.animals import animal_figures
from eval.guide.choices import choice_figures, effect_figures
from eval.guide.figures import Figures, Origin
from eval.guide.games import plan_games, play_games
from eval.guide.judge import Judge
from eval.guide.mistakes import mistake_figures
from eval.guide.openings import OPENING_OPPONENTS, opening_figures, reply_figures
from eval.guide.positions import position_figures
from eval.guide.seats import seat_results, trust_figures
from eval.guide.trials import ANYWAY, INSTEAD, run_trials
from eval.matches.match import OnProgress
from eval.matches.players import network_player, search_player

# A phase of the work: what it is called, and something to call with (done, in all).
Phase = Callable[[str], AbstractContextManager[OnProgress]]

_BATCH = 4096


class Budget(NamedTuple):
    """How much is measured.

    Attributes:
      games: games of the policy alone.
      trials: trials of each of the two kinds.
      search_games: games of the search.
      search_samples: worlds for a move of them.
      samples: worlds for each position that is judged; ten times as many for those shown.
      hands_each: hands in which the answers to each first card are judged.
      mistakes_each: positions searched in each class of mistakes.
    """

    games: int
    search_games: int
    samples: int
    trials: int
    search_samples: int = 200
    hands_each: int = 60
    mistakes_each: int = 60

    @property
    def position_samples(self) -> int:
        return 10 * self.samples


def measure(policy: Policy, budget: Budget, seed: int, origin: Origin, phase: Phase) -> Figures:
    """Plays and searches all that the guide needs.

    Args:
      policy: whom the guide is about.
      budget: how much is measured.
      seed: the seed of deals, draws and worlds; the same seed gives the same figures.
      origin: what the guide says of itself.
      phase: entered before each part of the work.
    """
    judge = Judge(policy)
    player = network_player("policy", policy, batch_size=_BATCH)
    config = SearchConfig(samples=budget.search_samples, opponent=UNKNOWN)
    searcher = search_player("search", policy, config)
    with phase("playing games of the policy alone") as tick:
        games = play_games(player, plan_games(budget.games, seed), judge.scoring, on_progress=tick)
    trials = {}
    for kind in (INSTEAD, ANYWAY):
        with phase(f"repeating games with another move ({kind})") as tick:
            trials[kind] = run_trials(player, judge, games, kind, budget.trials, seed, tick)
    with phase("playing games of the search") as tick:
        plan = plan_games(budget.search_games, seed)
        searched = play_games(searcher, plan, judge.scoring, on_progress=tick)
    with phase("comparing predictions with results") as tick:
        trust = trust_figures(judge, player, games, searched, tick)
    openings, replies = [], []
    for opponent in OPENING_OPPONENTS:
        with phase(f"searching the opening hands (opponent {opponent})") as tick:
            found = opening_figures(judge.engine, opponent, budget.samples, seed, tick=tick)
            openings.append(found)
        with phase(f"searching answers to the first card (opponent {opponent})") as tick:
            answers = reply_figures(
                judge.engine, opponent, budget.samples, seed, budget.hands_each, tick=tick
            )
            replies.append(answers)
    with phase("reviewing the ten opponents") as tick:
        mistakes = mistake_figures(judge, games, budget.samples, budget.mistakes_each, seed, tick)
    with phase("searching instructive positions") as tick:
        positions = position_figures(
            judge, searched, budget.samples, budget.position_samples, seed, tick
        )
    played = {"games": len(games.plan), "search_games": len(searched.plan)}
    return Figures(
        origin=origin.model_copy(update=played),
        seats=seat_results(games),
        search_seats=seat_results(searched),
        animals=animal_figures(games, searched, trials[INSTEAD], trials[ANYWAY]),
        choices=choice_figures(games),
        effects=effect_figures(games),
        openings=openings,
        replies=replies,
        mistakes=mistakes,
        positions=positions,
        trust=trust,
    )
