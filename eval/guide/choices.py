"""How parrot, kangaroo and chameleon choose, and what is on the table when an animal is played."""

from __future__ import annotations

from typing import Any

import numpy as np

from bb_sim import SPECIES
from bb_sim.rules.actions import ACTIONS
from bb_sim.rules.engine import QUEUE_SIZE
from bb_sim.rules.observation import legal_mask_of
from eval.guide import estimates
from eval.guide.decisions import Decisions, card_species, decisions_of_player, own_cards
from eval.guide.estimates import Figure
from eval.guide.figures import Choices, Effect, Option
from eval.guide.games import Games

_PLACES = ("at the gate", "second", "third", "fourth")
# A row of a table that stands for fewer cases is left out.
_FEWEST = 100


def choice_figures(games: Games) -> list[Choices]:
    """How often each choice is made where it can be made."""
    decisions = decisions_of_player(games)
    deals = games.plan.num_deals
    return [
        Choices(animal="parrot", options=_parrot(decisions, deals)),
        Choices(animal="kangaroo", options=_kangaroo(decisions, deals)),
        Choices(animal="chameleon", options=_chameleon(decisions, deals)),
    ]


def effect_figures(games: Games) -> list[Effect]:
    """How often animals are played with and without what they need on the table."""
    decisions = decisions_of_player(games)
    deals = games.plan.num_deals
    found = []
    for animal, condition, holds in _conditions(decisions):
        held = decisions.hands[:, SPECIES.index(animal)]
        played = decisions.species == SPECIES.index(animal)
        found.append(
            Effect(
                animal=animal,
                condition=condition,
                played=_share(decisions, played, held & holds, deals),
                otherwise=_share(decisions, played, held & ~holds, deals),
            )
        )
    return found


def _conditions(decisions: Decisions) -> list[tuple[str, str, Any]]:
    """(animal, condition, bool [K]) for what can be on the table."""
    queues, species = decisions.queues, card_species(decisions.queues)
    mine = own_cards(queues)
    theirs = (queues > 0) & ~mine

    def stands(*names: str, whose: np.ndarray | None = None) -> Any:
        wanted = np.isin(species, [SPECIES.index(name) for name in names])
        return (wanted if whose is None else wanted & whose).any(axis=1)

    def strongest_two(whose: np.ndarray) -> Any:
        """How many of the animals that a skunk would drive away are `whose`, int [K]."""
        others = np.where(species == SPECIES.index("skunk"), -1, species)
        first = others.max(axis=1)
        second = np.where(others < first[:, None], others, -1).max(axis=1)
        gone = (others >= 0) & ((others == first[:, None]) | (others == second[:, None]))
        return (gone & whose).sum(axis=1)

    return [
        ("lion", "a lion stands in the queue", stands("lion")),
        ("lion", "a monkey of the opponent stands in the queue", stands("monkey", whose=theirs)),
        ("hippo", "a zebra stands in the queue", stands("zebra")),
        ("crocodile", "a zebra stands in the queue", stands("zebra")),
        ("monkey", "another monkey stands in the queue", stands("monkey")),
        (
            "monkey",
            "a monkey, and a hippo or crocodile of the opponent",
            stands("monkey") & stands("hippo", "crocodile", whose=theirs),
        ),
        ("skunk", "it would drive away two animals of the opponent", strongest_two(theirs) > 1),
        ("skunk", "it would drive away an animal of its own", strongest_two(mine) > 0),
        ("seal", "the first in the queue is the opponent's", theirs[:, 0]),
        ("snake", "a lion or hippo of its own stands in the queue",
         stands("lion", "hippo", whose=mine)),
        ("zebra", "a hippo or crocodile of the opponent stands in the queue",
         stands("hippo", "crocodile", whose=theirs)),
        ("giraffe", "four animals stand in the queue", decisions.queue_lengths == QUEUE_SIZE),
    ]  # fmt: skip


def _share(
    decisions: Decisions, hits: np.ndarray, cases: np.ndarray, num_deals: int
) -> Figure | None:
    """The share of hits among cases, both bool [K]."""
    return estimates.share(
        np.bincount(decisions.deals[hits & cases], minlength=num_deals),
        np.bincount(decisions.deals[cases], minlength=num_deals),
    )


def _options(
    decisions: Decisions, num_deals: int, rows: list[tuple[str, str, Any, Any]]
) -> list[Option]:
    """Options from (situation, choice, hits bool [K], cases bool [K]), those with cases enough."""
    found = []
    for situation, choice, hits, cases in rows:
        share = _share(decisions, hits, cases, num_deals)
        if share is not None and share.cases >= _FEWEST:
            found.append(Option(situation=situation, choice=choice, share=share))
    return found


def _played(decisions: Decisions, name: str) -> Decisions:
    return decisions.take(np.flatnonzero(decisions.species == SPECIES.index(name)))


def _parrot(decisions: Decisions, num_deals: int) -> list[Option]:
    """Whom the parrot sends away: by owner and place, and by species."""
    parrots = _played(decisions, "parrot")
    parrots = parrots.take(np.flatnonzero(parrots.queue_lengths > 0))
    first = next(i for i, a in enumerate(ACTIONS) if a.species == "parrot" and a.params == (0,))
    targets = parrots.actions.astype(int) - first
    queues = parrots.queues
    target = queues[np.arange(len(parrots)), np.clip(targets, 0, QUEUE_SIZE - 1)]
    everybody = np.ones(len(parrots), bool)
    rows: list[tuple[str, str, Any, Any]] = [
        ("any queue", "an animal of its own", own_cards(target), everybody)
    ]
    full = parrots.queue_lengths == QUEUE_SIZE
    theirs = (queues > 0) & ~own_cards(queues)
    for place, words in enumerate(_PLACES):
        rows.append(
            ("four animals, this one the opponent's", words, targets == place,
             full & theirs[:, place])
        )  # fmt: skip
    for species, name in enumerate(SPECIES):
        there = theirs & (card_species(queues) == species)
        hit = (card_species(target) == species) & ~own_cards(target)
        rows.append(("the opponent's is in the queue", name, hit, there.any(axis=1)))
    return _options(parrots, num_deals, rows)


def _kangaroo(decisions: Decisions, num_deals: int) -> list[Option]:
    """How far the kangaroo jumps."""
    kangaroos = _played(decisions, "kangaroo")
    far = np.array([a.species == "kangaroo" and a.params == (2,) for a in ACTIONS])
    rows: list[tuple[str, str, Any, Any]] = [
        (f"{length} animals in the queue", "over two", far[kangaroos.actions],
         kangaroos.queue_lengths == length)
        for length in range(2, QUEUE_SIZE + 1)
    ]  # fmt: skip
    return _options(kangaroos, num_deals, rows)


def _chameleon(decisions: Decisions, num_deals: int) -> list[Option]:
    """Whom the chameleon copies, where it can."""
    chameleons = _played(decisions, "chameleon")
    legal = legal_mask_of(chameleons.rows)
    rows: list[tuple[str, str, Any, Any]] = []
    for name in SPECIES:
        copies = np.array([a.species == "chameleon" and a.params[:1] == (name,) for a in ACTIONS])
        rows.append(
            ("it is in the queue", name, copies[chameleons.actions], legal[:, copies].any(1))
        )
    return _options(chameleons, num_deals, rows)
