"""All measurements of the guide, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import NamedTuple

from bb_jax.policies.policy_file import Policy
from bb_jax.search.config import UNKNOWN, SearchConfig
from eval.guide.animals import animal_figures
from eval.guide.choices import choice_figures, effect_figures
from eval.guide.figures import (
    Figures,
    Openings,
    OpponentMistakes,
    Origin,
    Position,
    Replies,
    Trust,
)
from eval.guide.games import Games, plan_games, play_games
from eval.guide.judge import Judge
from eval.guide.kept import Kept
from eval.guide.mistakes import mistake_figures
from eval.guide.openings import OPENING_OPPONENTS, opening_figures, reply_figures
from eval.guide.positions import position_figures
from eval.guide.seats import seat_results, trust_figures
from eval.guide.trials import ANYWAY, INSTEAD, Trials, run_trials
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


def measure(
    policy: Policy, budget: Budget, seed: int, origin: Origin, phase: Phase, kept: Kept
) -> Figures:
    """Plays and searches all that the guide needs.

    Args:
      policy: whom the guide is about.
      budget: how much is measured.
      seed: the seed of deals, draws and worlds; the same seed gives the same figures.
      origin: what the guide says of itself.
      phase: entered before each part of the work.
      kept: finished parts are taken from there, and put there.
    """
    judge = Judge(policy)
    player = network_player("policy", policy, batch_size=_BATCH)
    config = SearchConfig(samples=budget.search_samples, opponent=UNKNOWN)
    searcher = search_player("search", policy, config)

    def play_alone() -> Games:
        with phase("playing games of the policy alone") as tick:
            plan = plan_games(budget.games, seed)
            return play_games(player, plan, judge.scoring, on_progress=tick)

    def play_searching() -> Games:
        with phase("playing games of the search") as tick:
            plan = plan_games(budget.search_games, seed)
            return play_games(searcher, plan, judge.scoring, on_progress=tick)

    def repeat(kind: str) -> Trials:
        with phase(f"repeating games with another move ({kind})") as tick:
            return run_trials(player, judge, games, kind, budget.trials, seed, tick)

    def compare() -> Trust:
        with phase("comparing predictions with results") as tick:
            return trust_figures(judge, player, games, searched, tick)

    def open_against(opponent: str) -> Openings:
        with phase(f"searching the opening hands (opponent {opponent})") as tick:
            return opening_figures(judge.engine, opponent, budget.samples, seed, tick=tick)

    def answer(opponent: str) -> Replies:
        with phase(f"searching answers to the first card (opponent {opponent})") as tick:
            hands = budget.hands_each
            return reply_figures(judge.engine, opponent, budget.samples, seed, hands, tick=tick)

    def review() -> list[OpponentMistakes]:
        with phase("reviewing the ten opponents") as tick:
            each = budget.mistakes_each
            return mistake_figures(judge, games, budget.samples, each, seed, tick)

    def find_positions() -> list[Position]:
        with phase("searching instructive positions") as tick:
            samples = budget.samples, budget.position_samples
            return position_figures(judge, searched, *samples, seed, tick)

    games = kept.arrays("games", Games, play_alone)
    trials = {kind: kept.arrays(kind, Trials, partial(repeat, kind)) for kind in (INSTEAD, ANYWAY)}
    searched = kept.arrays("search_games", Games, play_searching)
    trust = kept.model("trust", Trust, compare)
    openings, replies = [], []
    for opponent in OPENING_OPPONENTS:
        find, reply = partial(open_against, opponent), partial(answer, opponent)
        openings.append(kept.model(f"openings_{opponent}", Openings, find))
        replies.append(kept.model(f"replies_{opponent}", Replies, reply))
    mistakes = kept.model("mistakes", list[OpponentMistakes], review)
    positions = kept.model("positions", list[Position], find_positions)
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
