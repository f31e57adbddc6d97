"""The first card by hand, and the answer to the opponent's first card, judged by searches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np

from bb_jax.search.config import UNKNOWN
from bb_sim import SPECIES, Action
from bb_sim.rules.engine import HAND_SIZE
from eval.analysis.engine import Engine
from eval.analysis.record import seen_record
from eval.analysis.results import ActionAnalysis, Analysis, Estimate
from eval.guide import estimates
from eval.guide.figures import (
    OpeningCard,
    OpeningExample,
    OpeningHand,
    Openings,
    Replies,
    Reply,
    ReplyCard,
)
from eval.guide.judge import Tick

#: Whom the openings are judged against: somebody unknown, and somebody who plays like the network.
STRONG = "network"
OPENING_OPPONENTS = (UNKNOWN, STRONG)
#: All hands of four, each in the order of strength.
HANDS = tuple(combinations(SPECIES, HAND_SIZE))
_EXCEPTIONS = 6

# By hand, by animal: the cost of opening with it and the estimate of it.
Costs = dict[tuple[str, ...], dict[str, ActionAnalysis]]


def opening_figures(
    engine: Engine,
    opponent: str,
    samples: int,
    seed: int,
    *,
    hands: Sequence[tuple[str, ...]] | None = None,
    tick: Tick | None = None,
) -> Openings:
    """Searches the first move of every hand.

    Args:
      engine: judges the hands.
      opponent: as in `Engine.analyse`.
      samples: worlds a hand.
      seed: the seed of the worlds.
      hands: the hands, all by default.
      tick: called with (hands judged, hands in all).
    """
    hands = HANDS if hands is None else hands
    costs: Costs = {}
    for number, hand in enumerate(hands):
        _tick(tick, number, len(hands))
        analysis = engine.analyse(
            seen_record(0, hand, (), engine.scoring),
            samples=samples,
            opponent=opponent,
            seed=seed + number,
        )
        costs[hand] = _by_animal(analysis)
    _tick(tick, len(hands), len(hands))
    order = order_of_preference(
        {
            hand: {name: card.behind.mean for name, card in cards.items()}
            for hand, cards in costs.items()
        }
    )
    by_order = {hand: min(hand, key=order.index) for hand in costs}
    return Openings(
        opponent=opponent,
        order=order,
        order_is_best=sum(costs[hand][card].behind.mean <= 0 for hand, card in by_order.items()),
        order_cost=estimates.of_estimates(
            [costs[hand][card].behind for hand, card in by_order.items()], len(costs)
        ),
        random_cost=estimates.of_estimates([_mean_cost(cards) for cards in costs.values()],
                                           len(costs)),
        cards=[card for name in order if (card := _card(name, costs)) is not None],
        exceptions=_exceptions(costs, by_order),
        hands=[_hand(cards) for cards in costs.values()],
    )  # fmt: skip


def order_of_preference(costs: Mapping[tuple[str, ...], Mapping[str, float]]) -> list[str]:
    """The order of animals whose first one in the hand costs the least in mean over hands.

    It is found exactly, by dynamic programming over the sets of animals that come first (Held and
    Karp, 1962). Orders that cost the same are told apart by the mean costs of the animals.

    Args:
      costs: by hand and animal, the win probability that opening with the animal loses.
    """
    masks = np.array([_mask(hand) for hand in costs])
    table = np.zeros((len(costs), len(SPECIES)))
    for row, cards in zip(table, costs.values(), strict=True):
        for name, cost in cards.items():
            row[SPECIES.index(name)] = cost
    sets = np.arange(1 << len(SPECIES))
    # added[a, S]: what an animal adds that comes right after the animals of a set.
    added = np.zeros((len(SPECIES), len(sets)))
    means = np.zeros(len(SPECIES))
    for species in range(len(SPECIES)):
        holds = masks >> species & 1 == 1
        untouched = (masks[holds, None] & sets) == 0
        added[species] = (untouched * table[holds, species, None]).sum(axis=0)
        means[species] = table[holds, species].mean() if holds.any() else 0.0
    best = np.full(len(sets), np.inf)
    best[0] = 0.0
    for chosen in sets.tolist():
        for species in range(len(SPECIES)):
            if not chosen >> species & 1:
                after = chosen | 1 << species
                best[after] = min(best[after], best[chosen] + added[species, chosen])
    order: list[str] = []
    left = int(sets[-1])
    while left:
        ways = [
            species
            for species in range(len(SPECIES))
            if left >> species & 1
            and best[left & ~(1 << species)] + added[species, left & ~(1 << species)]
            <= best[left] + 1e-9
        ]
        last = max(ways, key=lambda species: means[species])
        order.append(SPECIES[last])
        left &= ~(1 << last)
    return order[::-1]


def _mask(hand: Sequence[str]) -> int:
    """The hand as a bit mask of its species."""
    return sum(1 << SPECIES.index(name) for name in hand)


def reply_figures(
    engine: Engine,
    opponent: str,
    samples: int,
    seed: int,
    hands_each: int,
    *,
    tick: Tick | None = None,
) -> Replies:
    """Searches answers to each first card, in hands drawn at random.

    Args:
      engine: judges the positions.
      opponent: as in `Engine.analyse`.
      samples: worlds a position.
      seed: the seed of the hands and the worlds.
      hands_each: hands for each first card.
      tick: called with (positions judged, positions in all).
    """
    generator = np.random.default_rng([seed, *b"replies"])
    total = hands_each * len(SPECIES)
    replies = []
    for number, first in enumerate(SPECIES):
        chosen = generator.choice(len(HANDS), min(hands_each, len(HANDS)), replace=False)
        wins: list[float] = []
        behind: dict[str, list[float]] = {}
        for place, index in enumerate(chosen.tolist()):
            done = number * hands_each + place
            _tick(tick, done, total)
            analysis = engine.analyse(
                seen_record(1, HANDS[index], (Action(first),), engine.scoring),
                samples=samples,
                opponent=opponent,
                seed=seed + done,
            )
            wins.append(analysis.win.mean)
            for name, card in _by_animal(analysis).items():
                behind.setdefault(name, []).append(card.behind.mean)
        answers = [
            ReplyCard(animal=name, behind=figure)
            for name, values in behind.items()
            if (figure := estimates.of_values(values)) is not None
        ]
        win = estimates.of_values(wins)
        if win is not None:
            answers.sort(key=lambda card: card.behind.mean)
            replies.append(Reply(first=first, win=win, answers=answers))
    _tick(tick, total, total)
    return Replies(opponent=opponent, replies=replies)


def _by_animal(analysis: Analysis) -> dict[str, ActionAnalysis]:
    """The best way to play each animal, by the animal."""
    found: dict[str, ActionAnalysis] = {}
    for action in analysis.actions:
        name = action.action.partition("=")[0].partition("+")[0].partition("@")[0]
        if name not in found or action.behind.mean < found[name].behind.mean:
            found[name] = action
    return found


def _mean_cost(cards: dict[str, ActionAnalysis]) -> Estimate:
    costs = [card.behind for card in cards.values()]
    # Costs of one hand share its worlds: their errors are added as if they moved together.
    return Estimate(
        mean=sum(cost.mean for cost in costs) / len(costs),
        error=sum(cost.error or 0.0 for cost in costs) / len(costs),
    )


def _card(name: str, costs: Costs) -> OpeningCard | None:
    cards = [found[name] for found in costs.values() if name in found]
    if not cards:
        return None
    return OpeningCard(
        animal=name,
        win=estimates.of_estimates([card.win for card in cards], len(cards)),
        behind=estimates.of_estimates([card.behind for card in cards], len(cards)),
        best_in=sum(card.behind.mean <= 0 for card in cards),
    )


def _hand(cards: dict[str, ActionAnalysis]) -> OpeningHand:
    names = sorted(cards, key=lambda name: cards[name].behind.mean)
    win = [estimates.of_estimate(cards[name].win, cards[name].samples) for name in names]
    behind = [estimates.of_estimate(cards[name].behind, cards[name].samples) for name in names]
    return OpeningHand(
        cards=names,
        win=[figure.mean for figure in win],
        win_reach=[round(figure.half_width, 5) for figure in win],
        behind=[figure.mean for figure in behind],
        behind_reach=[round(figure.half_width, 5) for figure in behind],
    )


def _exceptions(costs: Costs, by_order: dict[tuple[str, ...], str]) -> list[OpeningExample]:
    """The hands in which the order costs the most, where that is certain."""
    found = []
    for hand, card in by_order.items():
        cost = costs[hand][card]
        figure = estimates.of_estimate(cost.behind, cost.samples)
        if figure.is_positive:
            best = _hand(costs[hand]).cards[0]
            found.append(OpeningExample(hand=list(hand), by_order=card, best=best, cost=figure))
    found.sort(key=lambda example: -example.cost.mean)
    return found[:_EXCEPTIONS]


def _tick(tick: Callable[[int, int], None] | None, done: int, total: int) -> None:
    if tick is not None:
        tick(done, total)
