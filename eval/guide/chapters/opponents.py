"""Moving second, and the mistakes of the ten opponents."""

from __future__ import annotations

from collections.abc import Sequence

from eval.guide.document import Block, Chapter, Heading, Paragraph, Table
from eval.guide.figures import Figures, Mistake, OpponentMistakes, SeatResult
from eval.guide.games import ITSELF
from eval.guide.mistakes import WORTH_COUNTING
from eval.guide.seats import EVERYBODY, NAMED
from eval.guide.wording import NOTHING, cost, in_words, number, percent, points, share


def result_of(results: Sequence[SeatResult], name: str) -> SeatResult | None:
    """The result against an opponent or a group, if there is one."""
    return next((one for one in results if one.opponent == name), None)


def second_words(result: SeatResult | None) -> str:
    """What moving second is worth, in a sentence without its full stop."""
    if result is None or result.gain is None:
        return "what moving second is worth cannot be told"
    gain = result.gain
    if gain.is_positive:
        return f"moving second wins {cost(gain)} points more often than moving first"
    if gain.is_negative:
        flipped = gain.model_copy(update={"mean": -gain.mean, "low": -gain.high, "high": -gain.low})
        return f"moving first wins {cost(flipped)} points more often than moving second"
    return f"neither seat is certain to be better ({points(gain)} points for moving second)"


def seats_chapter(figures: Figures) -> Chapter:
    """The value of going second."""
    named, itself = (result_of(figures.seats, name) for name in (NAMED, ITSELF))
    blocks: list[Block] = [
        Paragraph(
            "Each deal was played from both seats against the same opponent, so that the cards are "
            "equally good on both sides. The gain is the win rate moving second minus that moving "
            "first. A draw is not a win."
        ),
        Paragraph(
            f"Against the ten {second_words(named)}; between two champions {second_words(itself)}."
        ),
        _seat_table(figures.seats),
    ]
    searched = [
        result
        for name in (NAMED, ITSELF, EVERYBODY)
        if (result := result_of(figures.search_seats, name)) is not None
    ]
    if searched:
        blocks += [
            Paragraph(f"With search, {figures.origin.search_samples} samples a move:"),
            _seat_table(searched),
        ]
    return Chapter("Moving first or second", blocks)


def mistakes_chapter(figures: Figures) -> Chapter:
    """The commonest mistakes of each opponent."""
    blocks: list[Block] = [
        Paragraph(
            "The network looked at every move of the ten opponents and counted those that cost at "
            f"least {100 * WORTH_COUNTING:.0f} points of win probability against the best other "
            "move. Of each kind of mistake, positions were drawn and searched; what a mistake "
            "costs comes from there. All is judged by what the opponent could know."
        ),
    ]
    common = common_mistakes(figures)
    if common:
        listed = [f"the {played} instead of the {better} ({len(names)} of them)"
                  for (played, better), names in common[:3]]  # fmt: skip
        blocks.append(Paragraph(f"Mistakes that several opponents share: {in_words(listed)}."))
    blocks.append(
        Table(
            [
                "opponent",
                "mistakes a game",
                "a move loses, points",
                "misplays more than the others",
                "of its plays, %",
                "the others, %",
            ],
            [_overview_row(opponent) for opponent in figures.mistakes],
            texts=(0, 3),
        )
    )
    for opponent in figures.mistakes:
        blocks += _opponent(opponent)
    return Chapter("The mistakes of the ten opponents", blocks)


def common_mistakes(figures: Figures) -> list[tuple[tuple[str, str], list[str]]]:
    """Classes that more than one opponent shows, with these opponents, the commonest first."""
    who: dict[tuple[str, str], list[str]] = {}
    for opponent in figures.mistakes:
        for mistake in opponent.mistakes:
            who.setdefault((mistake.played, mistake.better), []).append(opponent.opponent)
    shared = [(pair, names) for pair, names in who.items() if len(names) > 1]
    return sorted(shared, key=lambda one: (-len(one[1]), one[0]))


def mistake_words(mistake: Mistake) -> str:
    """A class of mistakes in a few words."""
    if mistake.played == mistake.better:
        return f"the {mistake.played} with the wrong choice"
    return f"the {mistake.played} instead of the {mistake.better}"


def _opponent(opponent: OpponentMistakes) -> list[Block]:
    blocks: list[Block] = [
        Heading(f"`{opponent.opponent}`"),
    ]
    if not opponent.mistakes:
        return [*blocks, Paragraph("There were too few mistakes to put them into classes.")]
    listed = [f"{one.animal} {percent(one.of_plays)}" for one in opponent.misplayed[:3]]
    blocks.append(
        Paragraph(
            f"How often it is a mistake when it plays the animals that cost it most: "
            f"{in_words(listed)}."
        )
    )
    worst = opponent.mistakes[0]
    blocks.append(
        Table(
            ["it plays", "in 100 games", "costs, points", "mostly", "of these, %"],
            [
                [
                    mistake_words(one),
                    number(one.per_100_games),
                    cost(one.loss),
                    one.situation,
                    share(one.situation_share),
                ]
                for one in opponent.mistakes
            ],
            texts=(0, 3),
        )
    )
    blocks.append(Paragraph(f"For example: {worst.example}."))
    return blocks


def _overview_row(opponent: OpponentMistakes) -> list[str]:
    special = opponent.special
    return [
        f"`{opponent.opponent}`",
        number(opponent.per_game),
        cost(opponent.loss_per_move),
        special.animal if special else NOTHING,
        share(special.of_plays if special else None),
        share(special.others if special else None),
    ]


def _seat_table(results: Sequence[SeatResult]) -> Table:
    return Table(
        ["against", "games", "wins, %", "moving first", "moving second", "gain, points"],
        [
            [
                one.opponent,
                f"{one.games:,}",
                share(one.wins),
                share(one.first),
                share(one.second),
                points(one.gain),
            ]
            for one in results
        ],
    )
