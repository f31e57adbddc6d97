"""When to play each animal, what it is worth then, and how to choose with those that choose."""

from __future__ import annotations

from collections.abc import Sequence

from bb_sim import SPECIES
from eval.guide.decisions import NUM_MOVES, PHASES
from eval.guide.document import Block, Bullets, Chapter, Heading, Paragraph, Picture, Table
from eval.guide.figures import Animal, Choices, Effect, Figures, Maybe, Option
from eval.guide.heat_map import draw_heat_map
from eval.guide.wording import (
    bold,
    capital,
    cost,
    count,
    in_words,
    number,
    percent,
    points,
    share,
)

_QUEUES = ("nobody", "one", "two", "three", "four")


def by_mean_move(figures: Figures) -> list[Animal]:
    """The animals in the order in which they are played, the earliest first."""
    return sorted(figures.animals, key=lambda one: one.move.mean if one.move else 0.0)


def favourites(figures: Figures, queue_length: int, number: int = 3) -> list[Animal]:
    """The animals that are played most readily at a length of the queue."""
    known = [one for one in figures.animals if one.by_queue[queue_length]]
    return sorted(known, key=lambda one: -_mean(one.by_queue[queue_length]))[:number]


def timing_chapter(figures: Figures) -> Chapter:
    """When each animal is played."""
    animals = by_mean_move(figures)
    held = sorted(animals, key=lambda one: -_mean(one.waits))
    blocks: list[Block] = [
        Paragraph(
            "Each player makes twelve moves. The picture shows how often an animal is played at a "
            "move when it is in the hand with others. A card drawn at random would be played in 25 "
            "% of the cases up to move 9, then in 33 and 50 %."
        ),
        Picture(
            "when",
            draw_heat_map(
                "Played when in the hand, percent, by move",
                [(one.animal, one.by_move[:-1]) for one in animals],
                [str(move + 1) for move in range(NUM_MOVES - 1)],
            ),
            "How often each animal is played when it is in the hand, by move; the table below says "
            "it in four phases",
        ),
        Paragraph(
            f"{bold('Kept longest')}: {_list_waits(held[:3])}. {bold('Let go soonest')}: "
            f"{_list_waits(held[:-4:-1])}. The number is the moves that an animal stays in the "
            "hand before it is played."
        ),
        Table(
            ["animal", "mean move", "moves kept", *PHASES],
            [
                [one.animal, number(one.move), number(one.waits), *map(share, one.by_phase)]
                for one in animals
            ],
        ),
        Paragraph(
            "The last four columns are percent of the moves at which it was in the hand with "
            "others."
        ),
        *_shifts(figures),
    ]
    return Chapter("When to play each animal", blocks)


def worth_chapter(figures: Figures) -> Chapter:
    """What an animal is worth when it is played, and what it costs to play it too early."""
    animals = by_mean_move(figures)
    worths = _cells(animals, "worth")
    costs = _cells(animals, "impatience")
    blocks: list[Block] = [
        Paragraph(
            f"These numbers come from {figures.origin.trials:,} games that were played again with "
            "one move changed: the same cards, the same luck of the opponent, another animal at "
            "one move, and from there on both sides as they like. What counts is the win rate, in "
            "percentage points. The network only chose how to play the other animal: at whom, or "
            "how far."
        ),
        Heading("Where it is played: how much better than the next best animal"),
        *_leaders(worths, "The most is gained by", "worth"),
        _phase_table(animals, "worth"),
        Heading("Where it is not played: what it costs to play it anyway"),
        *_leaders(costs, "The dearest are", "cost"),
        _phase_table(animals, "impatience"),
    ]
    return Chapter("What an animal is worth", blocks)


def queue_chapter(figures: Figures) -> Chapter:
    """What the queue says about the animal to play."""
    animals = by_mean_move(figures)
    items = []
    for length in range(1, len(_QUEUES)):
        names = [
            f"{one.animal} {percent(one.by_queue[length])}" for one in favourites(figures, length)
        ]
        who = f"{_QUEUES[length]} animal{'s' if length > 1 else ''} in the queue"
        items.append(f"{bold(capital(who))}: {in_words(names)}")
    blocks: list[Block] = [
        Paragraph(
            "With four animals in the queue, yours is the fifth: unless somebody is driven away, "
            "the gate opens after it, two get in and the last one is thrown out. With three, it is "
            "your opponent who may open the gate. What is played most readily, as a share of the "
            "moves at which it was in the hand:"
        ),
        Bullets(items),
        Picture(
            "queue",
            draw_heat_map(
                "Played when in the hand, percent",
                [(one.animal, one.by_queue) for one in animals],
                [f"{name}" for name in _QUEUES],
                cell=70,
            ),
            "How often each animal is played when it is in the hand, by the animals in the queue",
        ),
        Paragraph("The same with intervals, in percent:"),
        Table(
            ["animal", *(f"{name} in the queue" for name in _QUEUES)],
            [[one.animal, *map(share, one.by_queue)] for one in animals],
        ),
        Heading("What stands there"),
        Paragraph("How often an animal is played when it is in the hand, if something is so:"),
        Table(
            ["animal", "if", "if so, %", "if not, %"],
            [
                [effect.animal, effect.condition, share(effect.played), share(effect.otherwise)]
                for effect in figures.effects
            ],
            texts=(0, 1),
        ),
        Paragraph(_strongest_effect(figures.effects)),
    ]
    return Chapter("What the queue says", blocks)


def choices_chapter(figures: Figures) -> Chapter:
    """Parrot, kangaroo and chameleon."""
    blocks: list[Block] = []
    for choices in figures.choices:
        blocks.append(Heading(f"The {choices.animal}"))
        blocks.append(Paragraph(_CHOICE_INTRODUCTIONS[choices.animal]))
        blocks.append(
            Table(
                ["situation", "choice", "chosen, %", "cases"],
                [
                    [
                        option.situation,
                        option.choice,
                        share(option.share),
                        count(option.share.cases),
                    ]
                    for option in _in_order(choices)
                ],
                texts=(0, 1),
            )
        )
    return Chapter("Parrot, kangaroo and chameleon", blocks)


_CHOICE_INTRODUCTIONS = {
    "parrot": "Whom it sends to THAT'S IT, of all the times that it was played and this was there:",
    "kangaroo": "How far it jumps:",
    "chameleon": "Whom it copies, of all the times that it was played and this was there:",
}


def _in_order(choices: Choices) -> list[Option]:
    """Options by their situations, the most frequent choice first where a table ranks animals."""
    order = {option.situation: place for place, option in reversed([*enumerate(choices.options)])}
    return sorted(
        choices.options,
        key=lambda option: (
            order[option.situation],
            -option.share.mean if option.choice in SPECIES else 0.0,
        ),
    )


def _mean(figure: Maybe) -> float:
    return figure.mean if figure else 0.0


def _list_waits(animals: Sequence[Animal]) -> str:
    return in_words([f"{one.animal} ({number(one.waits)})" for one in animals])


def _shifts(figures: Figures) -> list[Block]:
    """Who is played at another time against the player itself, and by the search."""
    blocks: list[Block] = []
    for name, words in (
        ("strong_shift", "Against an opponent as strong as itself the champion plays"),
        ("search_shift", "With search it plays"),
    ):
        known = [(one.animal, getattr(one, name)) for one in figures.animals]
        sure = [(animal, shift) for animal, shift in known if shift and _is_sure(shift)]
        parts = []
        for later, way in ((False, "earlier"), (True, "later")):
            moved = sorted(
                (pair for pair in sure if (pair[1].mean > 0) == later),
                key=lambda pair: -abs(pair[1].mean),
            )[:3]
            listed = [f"{animal} ({number(shift, signed=True)})" for animal, shift in moved]
            if listed:
                parts.append(f"{in_words(listed)} {way}")
        if parts:
            blocks.append(Paragraph(f"{words} {'; '.join(parts)}, in moves."))
    return blocks


def _is_sure(figure: Maybe) -> bool:
    return figure is not None and (figure.is_positive or figure.is_negative)


def _cells(animals: Sequence[Animal], name: str) -> list[tuple[str, str, Maybe]]:
    """(animal, phase, figure) of a list by phase, the largest lower end first."""
    cells = [
        (one.animal, PHASES[phase], figure)
        for one in animals
        for phase, figure in enumerate(getattr(one, name)[: len(PHASES)])
        if figure is not None
    ]
    return sorted(cells, key=lambda cell: -cell[2].low)


def _leaders(cells: Sequence[tuple[str, str, Maybe]], words: str, name: str) -> list[Block]:
    """A sentence on the three cells that are the most certain to be large."""
    sure = [cell for cell in cells if cell[2] is not None and cell[2].is_positive][:3]
    if not sure:
        return [Paragraph("No cell of this table is certain to be above zero.")]
    listed = [f"the {animal} in {phase} ({cost(figure)})" for animal, phase, figure in sure]
    below = [cell for cell in cells if cell[2] is not None and cell[2].is_negative]
    text = f"{words} {in_words(listed)}."
    if below:
        animal, phase, figure = min(below, key=lambda cell: cell[2].high if cell[2] else 0.0)
        what = "the next best animal would have been better" if name == "worth" else "it helps"
        text += f" For the {animal} in {phase} {what} ({points(figure)})."
    return [Paragraph(text)]


def _phase_table(animals: Sequence[Animal], name: str) -> Table:
    return Table(
        ["animal", *PHASES, "all moves"],
        [[one.animal, *map(points, getattr(one, name))] for one in animals],
    )


def _strongest_effect(effects: Sequence[Effect]) -> str:
    """A sentence on the condition that changes the most."""
    known = [(e, e.played, e.otherwise) for e in effects if e.played and e.otherwise]
    if not known:
        return "Too few cases to say which condition matters the most."
    effect, so, otherwise = max(known, key=lambda one: abs(one[1].mean - one[2].mean))
    return (
        f"The condition that changes the most is that of the {effect.animal}: if "
        f"{effect.condition}, it is played at {percent(so)} of the moves, else at "
        f"{percent(otherwise)}."
    )
