"""The first card of the game, and the answer to it."""

from __future__ import annotations

from collections.abc import Sequence

from bb_sim.rules.engine import HAND_SIZE
from eval.guide.document import Block, Bullets, Chapter, Heading, Lookup, Paragraph, Table
from eval.guide.figures import Figures, Openings, Reply
from eval.guide.games import ITSELF
from eval.guide.openings import HANDS, STRONG
from eval.guide.seats import NAMED
from eval.guide.wording import bold, cost, in_words, percent, share


def opponent_words(opponent: str) -> str:
    """Whom openings are judged against, in words."""
    if opponent == STRONG:
        return "an opponent as strong as the champion"
    return "an unknown opponent"


def order_words(openings: Openings) -> str:
    """The order of preference in words, as far as a hand can need it."""
    return " > ".join(openings.order[: 1 - HAND_SIZE])


def openings_chapter(figures: Figures) -> Chapter:
    """The first card by hand."""
    blocks: list[Block] = [
        Paragraph(
            f"All {len(HANDS)} hands of four were searched, each in {figures.origin.samples:,} "
            "samples of the hidden cards, against two kinds of opponents: an unknown one, who may "
            "be any of the ten or the champion itself, and one as strong as the champion. The "
            "lists below sum them up: open with the first animal of the list that you hold."
        ),
        *_results(figures),
        Lookup("The page that `python -m eval.guide` writes beside this one looks up any hand."),
    ]
    for openings in figures.openings:
        who = opponent_words(openings.opponent)
        total = len(openings.hands)
        blocks += [
            Heading(f"Against {who}"),
            Paragraph(bold(order_words(openings))),
            Paragraph(
                f"The list finds the best card in {openings.order_is_best} of {total} hands. In "
                f"mean it costs {cost(openings.order_cost)} points of win probability; a card "
                f"drawn at random costs {cost(openings.random_cost)}."
            ),
            Table(
                ["first card", "wins, %", "behind the best card, points", "best in hands"],
                [
                    [card.animal, share(card.win), cost(card.behind), str(card.best_in)]
                    for card in openings.cards
                ],
            ),
        ]
        if openings.exceptions:
            blocks += [
                Paragraph("Where the list is most wrong:"),
                Bullets(
                    [
                        f"{in_words(one.hand)}: not the {one.by_order} but the {one.best} "
                        f"(by {cost(one.cost)} points)"
                        for one in openings.exceptions
                    ]
                ),
            ]
    return Chapter("The first card", blocks)


def _results(figures: Figures) -> list[Block]:
    """How often the first player really won, beside what the searches expect."""
    by_name = {result.opponent: result.first for result in figures.seats}
    known = [(name, words) for name, words in ((NAMED, "the ten"), (ITSELF, "itself"))
             if by_name.get(name) is not None]  # fmt: skip
    if not known:
        return []
    listed = [f"{percent(by_name[name])} against {words}" for name, words in known]
    return [
        Paragraph(
            f"In the games themselves the champion won, moving first, {in_words(listed)}. The win "
            "probabilities below are a search's expectations and may be off together; compare them "
            "with each other."
        )
    ]


def replies_chapter(figures: Figures) -> Chapter:
    """The answer to the opponent's first card."""
    blocks: list[Block] = [
        Paragraph(
            "Moving second, you see the opponent's first card. For each of them hands were drawn "
            "at random and searched. The number beside an animal says how far it is behind the "
            "best card of the hand, in points of win probability, in mean over the hands that "
            "hold it."
        )
    ]
    for one in figures.replies:
        blocks.append(Heading(f"Against {opponent_words(one.opponent)}"))
        blocks += _replies(sorted(one.replies, key=lambda reply: -reply.win.mean))
    return Chapter("The answer to the first card", blocks)


def _replies(replies: Sequence[Reply]) -> list[Block]:
    """Answers to the first cards, from the one to be liked most to that to be liked least."""
    blocks: list[Block] = []
    if replies:
        easy, hard = replies[0], replies[-1]
        blocks.append(
            Paragraph(
                f"The {easy.first} is the opening that you like to see most: you win "
                f"{percent(easy.win)} after it, and {percent(hard.win)} after the {hard.first}, "
                "which you like least."
                if easy.win.low > hard.win.high
                else "Which opening you like to see most cannot be told yet."
            )
        )
    blocks.append(
        Table(
            ["they open with", "you win, %", "best answers", "worst answer"],
            [_reply_row(reply) for reply in replies],
            texts=(0, 2, 3),
        )
    )
    return blocks


def _reply_row(reply: Reply) -> list[str]:
    best = [f"{card.animal} ({cost(card.behind)})" for card in reply.answers[:3]]
    worst = reply.answers[-1]
    return [
        reply.first,
        share(reply.win),
        ", ".join(best),
        f"{worst.animal} ({cost(worst.behind)})",
    ]
