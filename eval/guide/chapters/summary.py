"""The guide in a few sentences, and how far it can be trusted."""

from __future__ import annotations

from collections.abc import Sequence

from eval.guide.chapters.animals import by_mean_move, favourites
from eval.guide.chapters.openings import opponent_words
from eval.guide.chapters.opponents import common_mistakes, result_of, second_words
from eval.guide.decisions import PHASES
from eval.guide.document import Block, Bullets, Chapter, Paragraph, Table
from eval.guide.figures import Figures, Maybe
from eval.guide.games import ITSELF
from eval.guide.seats import NAMED
from eval.guide.wording import bold, cost, in_words, number, percent, points


def introduction(figures: Figures, figures_file: str) -> list[Block]:
    """What stands above the table of contents."""
    origin = figures.origin
    named, searched = (result_of(one, NAMED) for one in (figures.seats, figures.search_seats))
    strength = ""
    if named is not None:
        strength = f" It wins {percent(named.wins)} of its games against the ten named opponents"
        strength += f", {percent(searched.wins)} with search." if searched is not None else "."
    return [
        Paragraph(
            f"How `{origin.checkpoint}` plays [Beasty Bar](rules.md), for people who want to play "
            f"better.{strength} Every number was measured, in {origin.games:,} games of the policy "
            f"alone, {origin.search_games:,} games with search, and {origin.trials:,} games played "
            "again with one move changed, against the ten and itself. `±` is a 95 % interval."
        ),
        Paragraph(
            f"The text is written from [the figures]({figures_file}) by `{origin.command}` "
            f"({origin.date}, seed {origin.seed}). No sentence is fixed that the figures could "
            "contradict."
        ),
    ]


def summary_chapter(figures: Figures) -> Chapter:
    """The guide in short."""
    items = [
        f"{bold('Open')} against {opponent_words(one.opponent)} with the first of these in your "
        f"hand: {', '.join(one.order[:6])}. The whole list costs {cost(one.order_cost)} points of "
        f"win probability; a card at random costs {cost(one.random_cost)}."
        for one in figures.openings
    ]
    animals = by_mean_move(figures)
    held = sorted(animals, key=lambda one: -(one.waits.mean if one.waits else 0.0))[:3]
    items.append(
        f"{bold('Keep')} {in_words([one.animal for one in held])}: they stay in the hand longest, "
        f"{in_words([number(one.waits) for one in held])} moves in mean.{_impatience(figures)}"
    )
    for length, words in ((3, "three animals in the queue"), (4, "four animals in the queue")):
        names = [one.animal for one in favourites(figures, length)]
        items.append(f"{bold(f'With {words}')} play {in_words(names, 'or')} most readily.")
    named, itself = (result_of(figures.seats, name) for name in (NAMED, ITSELF))
    items.append(
        f"{bold('Seats')}: against the ten {second_words(named)}; between equals "
        f"{second_words(itself)}."
    )
    common = common_mistakes(figures)
    if common:
        (played, better), names = common[0]
        items.append(
            f"{bold('Commonest mistake')}: the {played} instead of the {better}, shown by "
            f"{len(names)} of the {len(figures.mistakes)} opponents."
        )
    return Chapter("In short", [Bullets(items)])


def trust_chapter(figures: Figures) -> Chapter:
    """How far to trust the guide."""
    trust, origin = figures.trust, figures.origin
    blocks: list[Block] = [
        Paragraph(
            "How often animals are played and what changed moves cost are counts of games. "
            "Openings, answers, the cost of mistakes and the positions are judgements of a search, "
            "which is only as good as the network behind it. The table says by how much the "
            "network's predictions were above the share of games that were then won, in points."
        ),
        Table(
            ["predicted minus won", *PHASES],
            [
                ["against the ten", *map(points, trust.predicted)],
                ["against itself", *map(points, trust.predicted_itself)],
            ],
        ),
        Paragraph(
            " ".join(
                [
                    _bias_words(trust.predicted, "the ten"),
                    _bias_words(trust.predicted_itself, "itself"),
                    "This guide is about the differences between moves.",
                ]
            )
        ),
    ]
    if trust.agreement is not None:
        text = f"The search plays what the policy alone would play at {percent(trust.agreement)} "
        text += "of its moves."
        if trust.search_gain is not None:
            text += f" On the same deals it wins {points(trust.search_gain)} points more often "
            text += "against the ten."
        blocks.append(Paragraph(text))
    blocks.append(
        Paragraph(
            f"A search of an opening hand, an answer or a mistake has {origin.samples:,} samples. "
            "Intervals come from the differences between deals, or between samples of hidden "
            "cards. The best of several estimates is a little too high, so the winner of a close "
            "choice may change with another seed."
        )
    )
    return Chapter("How far to trust this", blocks)


def _impatience(figures: Figures) -> str:
    """A sentence on the animal that costs the most if it is played in the first phase."""
    early = [(one.animal, one.impatience[0]) for one in figures.animals if one.impatience[0]]
    sure = [(animal, figure) for animal, figure in early if figure and figure.is_positive]
    if not sure:
        return ""
    animal, figure = max(sure, key=lambda pair: pair[1].low)
    return (
        f" Playing the {animal} in {PHASES[0]} where the champion would not costs {cost(figure)} "
        "points."
    )


def _bias_words(predicted: Sequence[Maybe], opponent: str) -> str:
    first = predicted[0]
    if first is None:
        return f"There were too few games against {opponent} to say how good the predictions are."
    if first.is_negative:
        what = (
            "it wins more often than predicted, so win probabilities early in a game are too low."
        )
    elif first.is_positive:
        what = (
            "it wins less often than predicted, so win probabilities early in a game are too high."
        )
    else:
        what = f"predictions in {PHASES[0]} agree with the results."
    return f"Against {opponent} {what}"
