"""The ten instructive positions."""

from __future__ import annotations

from eval.analysis.notation import parse_game
from eval.guide.document import Block, Bullets, Chapter, Heading, Paragraph, Picture
from eval.guide.figures import Figures, Position, PositionMove
from eval.guide.games import ITSELF
from eval.guide.positions import OBVIOUS, picture_of
from eval.guide.wording import bold, capital, cost, in_words, number, percent
from eval.pictures.board import OWNERS

_OTHERS = 3


def positions_chapter(figures: Figures) -> Chapter:
    """The positions, each with its picture and the reason."""
    blocks: list[Block] = [
        Paragraph(
            "These come from games of the search. The tempting move is the one that "
            f"`{OBVIOUS}` would play, who counts what a move does at once. Each time another "
            "animal is better: find it before you read on. You hold the hand at the bottom. The "
            "search does not know the opponent and infers what it may be from its moves. The "
            f"numbers come from {figures.origin.position_samples:,} samples of what is hidden. "
            "Their intervals say how far other samples would move them, not how far the network "
            "errs."
        )
    ]
    for position in figures.positions:
        blocks += _blocks(position)
    if not figures.positions:
        blocks.append(Paragraph("No position was certain enough to be shown."))
    return Chapter("Positions to learn from", blocks)


def picture_name(position: Position) -> str:
    """The file's name, without its ending."""
    return f"position-{position.number:02d}"


def _blocks(position: Position) -> list[Block]:
    you = OWNERS[position.seat]
    against = "itself" if position.opponent == ITSELF else f"`{position.opponent}`"
    state = parse_game(position.game).states[-1]
    queue = ", ".join(
        f"{'your' if card.owner == position.seat else 'their'} {card.species}"
        for card in state.queue
    )
    best, obvious = position.best, position.obvious
    blocks: list[Block] = [
        Heading(f"{position.number}. {you} to move, move {position.turn // 2 + 1} of 12"),
        Picture(
            picture_name(position),
            picture_of(position),
            f"Queue from the gate: {queue or 'empty'}; your hand: {', '.join(position.hand)}",
        ),
        Paragraph(
            f"You are {you}, the opponent is {against}. Tempting: {bold(obvious.words)}, which "
            f"wins {percent(obvious.win)}. Best: {bold(best.words)}, {percent(best.win)}. So the "
            f"tempting move throws away {cost(obvious.behind)} points."
        ),
        Bullets(
            [
                f"{bold(capital(obvious.words))}. {_story(obvious, position)}",
                f"{bold(capital(best.words))}. {_story(best, position)}",
            ]
        ),
        Paragraph(_reason(position)),
    ]
    if position.others:
        others = sorted(position.others, key=lambda move: -move.win.mean)[:_OTHERS]
        listed = [f"{move.words} {percent(move.win)}" for move in others]
        blocks.append(Paragraph(f"Other moves: {in_words(listed)}."))
    return blocks


def _story(move: PositionMove, position: Position) -> str:
    """What a move does and what most likely follows."""
    text = " ".join(move.told)
    if len(move.line) > 1:
        text += f" The likeliest way on: {', '.join(move.line[1:])}."
    known = position.holds.get(move.reply)
    if known is not None and known < 1:
        text += f" They hold the {move.reply} with probability {100 * known:.0f} %."
    return text


def _reason(position: Position) -> str:
    """Why the best move is better: what the likely lines bring, and the expected margins."""
    best, obvious = position.best, position.obvious
    text = (
        f"{bold('Why')}: over all samples the final margin is {number(best.margin, signed=True)} "
        f"points instead of {number(obvious.margin, signed=True)}."
    )
    parts = []
    for what, pile in (("entered", "in the bar"), ("thrown_out", "on THAT'S IT")):
        good, bad = getattr(best, what), getattr(obvious, what)
        if good != bad:
            parts.append(
                f"you have {good[0]} and they {good[1]} points more {pile}, instead of {bad[0]} "
                f"and {bad[1]}"
            )
    if parts:
        text += f" At the end of its likeliest line {'; '.join(parts)}."
    return text
