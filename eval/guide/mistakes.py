"""The commonest mistakes of the named opponents.

The network judges all their decisions at once and finds the classes: which animal was played, and
which would have been better. A search of its own then says what a mistake of a class costs, so that
what was found because the network erred is not counted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bb_sim import OPPONENTS, SPECIES, decode_observation
from bb_sim.rules.actions import ACTIONS
from bb_sim.rules.engine import QUEUE_SIZE
from eval.analysis.notation import move_text
from eval.analysis.review import THRESHOLDS
from eval.guide import estimates
from eval.guide.decisions import SPECIES_OF, Decisions, decisions_of_opponents
from eval.guide.estimates import Figure
from eval.guide.figures import Misplayed, Mistake, OpponentMistakes, Special
from eval.guide.games import Games
from eval.guide.judge import Judge, Tick

#: The win probability that a decision must lose to be counted, that of a mistake in a review.
WORTH_COUNTING = dict(THRESHOLDS)["mistake"]
#: Classes shown of each opponent, and those that a search looks at to find them.
SHOWN, _SEARCHED = 3, 4


class _Judged(NamedTuple):
    """Decisions with what the network says of them.

    Attributes:
      decisions: K decisions.
      better: uint8 [K], the best action.
      losses: float32 [K], the win probability lost.
    """

    decisions: Decisions
    better: np.ndarray
    losses: np.ndarray


def mistake_figures(
    judge: Judge,
    games: Games,
    samples: int,
    positions: int,
    seed: int,
    tick: Tick | None = None,
) -> list[OpponentMistakes]:
    """The mistakes of each named opponent in games against the player.

    Args:
      judge: judges the decisions.
      games: the games.
      samples: worlds of each position that is searched.
      positions: positions that are searched in each class.
      seed: the seed of the draws and the worlds.
      tick: called with (opponents done, opponents in all).
    """
    decisions = decisions_of_opponents(games)
    met = [n for n in range(len(OPPONENTS)) if (games.plan.opponents == n).any()]
    found = []
    for done, number in enumerate(met):
        if tick is not None:
            tick(done, len(met))
        own = decisions.take(np.flatnonzero(decisions.opponents == number))
        wins = judge.win_probabilities(own.rows)
        played = wins[np.arange(len(own)), own.actions]
        judged = _Judged(own, wins.argmax(axis=1).astype(np.uint8), wins.max(axis=1) - played)
        found.append(_of_opponent(judge, games, number, judged, samples, positions, seed))
    if tick is not None:
        tick(len(met), len(met))
    return [one.model_copy(update={"special": what_is_special(one, found)}) for one in found]


def what_is_special(
    opponent: OpponentMistakes, opponents: Sequence[OpponentMistakes]
) -> Special | None:
    """The animal that an opponent misplays the most above the mean of the others."""
    found: list[tuple[float, Special]] = []
    for own in opponent.misplayed:
        shares = [
            other.of_plays
            for rival in opponents
            if rival.opponent != opponent.opponent
            for other in rival.misplayed
            if other.animal == own.animal
        ]
        if not shares:
            continue
        # Opponents are met on different deals, so their errors are independent.
        center = sum(share.mean for share in shares) / len(shares)
        reach = math.sqrt(sum(share.half_width**2 for share in shares)) / len(shares)
        cases = sum(share.cases for share in shares)
        others = estimates.figure(center, center - reach, center + reach, cases)
        gap = own.of_plays.mean - center
        if gap > math.hypot(own.of_plays.half_width, reach):
            special = Special(animal=own.animal, of_plays=own.of_plays, others=others)
            found.append((gap, special))
    return max(found, key=lambda one: one[0])[1] if found else None


def _of_opponent(
    judge: Judge,
    games: Games,
    number: int,
    judged: _Judged,
    samples: int,
    positions: int,
    seed: int,
) -> OpponentMistakes:
    decisions = judged.decisions
    of_game = np.flatnonzero(games.plan.opponents == number)
    deals, where = np.unique(games.plan.deals[of_game], return_inverse=True)
    played_games = np.bincount(where)
    counted = judged.losses >= WORTH_COUNTING
    by_deal = np.searchsorted(deals, decisions.deals)
    classes: Counter[tuple[int, int]] = Counter()
    pairs = np.stack([decisions.species, SPECIES_OF[judged.better]], axis=1)
    totals = np.zeros((len(SPECIES), len(SPECIES)))
    np.add.at(totals, tuple(pairs[counted].T), judged.losses[counted])
    for pair in zip(*np.unravel_index(np.argsort(-totals, axis=None), totals.shape), strict=True):
        if totals[pair] > 0 and len(classes) < _SEARCHED:
            classes[int(pair[0]), int(pair[1])] = 1
    mistakes = []
    for pair in classes:
        inside = np.flatnonzero(counted & (pairs == pair).all(axis=1))
        rate = estimates.mean(
            100 * np.bincount(by_deal[inside], minlength=len(deals)).astype(float), played_games
        )
        mistake = _of_class(judge, games, judged, inside, rate, samples, positions, seed)
        if mistake is not None:
            mistakes.append(mistake)
    mistakes.sort(key=lambda one: -one.per_100_games.mean * one.loss.mean)
    per_game = estimates.mean(
        np.bincount(by_deal, weights=counted, minlength=len(deals)), played_games
    )
    per_move = estimates.mean(
        np.bincount(by_deal, weights=judged.losses, minlength=len(deals)),
        np.bincount(by_deal, minlength=len(deals)),
    )
    nothing = Figure(mean=0.0, low=0.0, high=1.0, cases=len(decisions))
    return OpponentMistakes(
        opponent=OPPONENTS[number],
        games=len(of_game),
        decisions=len(decisions),
        per_game=per_game or nothing,
        loss_per_move=per_move or nothing,
        special=None,
        misplayed=_misplayed(judged, counted, by_deal, played_games),
        mistakes=mistakes[:SHOWN],
    )


def _misplayed(
    judged: _Judged, counted: np.ndarray, by_deal: np.ndarray, played_games: np.ndarray
) -> list[Misplayed]:
    """How often each animal is played by mistake, the costliest first.

    Args:
      judged: the decisions.
      counted: bool [K], the mistakes.
      by_deal: int [K], indices of the deals.
      played_games: int [D], games by deal.
    """
    species, deals = judged.decisions.species, len(played_games)
    found: list[tuple[float, Misplayed]] = []
    for number, name in enumerate(SPECIES):
        wrong = counted & (species == number)
        hits = np.bincount(by_deal[wrong], minlength=deals)
        rate = estimates.mean(100.0 * hits, played_games)
        of_plays = estimates.share(hits, np.bincount(by_deal[species == number], minlength=deals))
        if rate is not None and of_plays is not None:
            figures = Misplayed(animal=name, per_100_games=rate, of_plays=of_plays)
            found.append((float(judged.losses[wrong].sum()), figures))
    return [figures for _, figures in sorted(found, key=lambda one: -one[0])]


def _of_class(
    judge: Judge,
    games: Games,
    judged: _Judged,
    inside: np.ndarray,
    rate: Figure | None,
    samples: int,
    positions: int,
    seed: int,
) -> Mistake | None:
    """One class of mistakes, those of the decisions `inside`; None if there are too few."""
    decisions = judged.decisions
    generator = np.random.default_rng([seed, *b"mistakes"])
    drawn = generator.choice(inside, min(positions, len(inside)), replace=False)
    losses: list[float] = []
    for place, index in enumerate(drawn.tolist()):
        record = games.record(
            int(decisions.games[index]), int(decisions.turns[index]), judge.scoring
        )
        analysis = judge.engine.analyse(record, samples=samples, seed=seed + place)
        by_id = {action.action_id: action.behind.mean for action in analysis.actions}
        # Against the network's choice, not the search's own best, whose value is a little too high.
        losses.append(by_id[int(decisions.actions[index])] - by_id[int(judged.better[index])])
    loss = estimates.of_values(losses)
    if loss is None or rate is None:
        return None
    typical = drawn[int(np.argsort(losses)[len(losses) // 2])]
    situation, share = _situation(decisions.take(inside))
    first = int(inside[0])
    return Mistake(
        played=SPECIES[decisions.species[first]],
        better=SPECIES[SPECIES_OF[judged.better[first]]],
        per_100_games=rate,
        loss=loss,
        situation=situation,
        situation_share=share,
        example=_example(decisions, int(typical), int(judged.better[typical])),
    )


def _situation(decisions: Decisions) -> tuple[str, Figure]:
    """The state of the queue in which most of the decisions were taken, and their share."""
    lengths = decisions.queue_lengths
    kinds = {
        "with an empty queue": lengths == 0,
        "with one or two animals in the queue": (lengths > 0) & (lengths < 3),
        "with three animals in the queue": lengths == QUEUE_SIZE - 1,
        "with four animals in the queue": lengths == QUEUE_SIZE,
    }
    name = max(kinds, key=lambda kind: int(kinds[kind].sum()))
    return name, estimates.of_proportion(int(kinds[name].sum()), len(decisions))


def _example(decisions: Decisions, index: int, better: int) -> str:
    """A decision in words, from the side of the opponent."""
    view = decode_observation(decisions.rows[index])
    queue = ", ".join(f"{'its' if own else 'your'} {species}" for own, species in view.queue)
    played = move_text(ACTIONS[int(decisions.actions[index])])
    return (
        f"queue {queue or 'empty'}; hand {', '.join(view.hand)}; "
        f"it plays `{played}`, better is `{move_text(ACTIONS[better])}`"
    )
