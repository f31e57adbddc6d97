"""Instructive positions: where the move that looks best at once is clearly not the best one.

The candidates come from the games of the search. The network finds those in which it would lose the
most to play what the opponent `heuristic` plays, which counts what a move does at once. Searches
judge the best candidates. A last search, of many worlds and with another seed, makes the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bb_sim import (
    ACTIONS,
    SPECIES,
    Action,
    Card,
    State,
    action_id,
    best_actions,
    turn_steps,
)
from eval.analysis.notation import game_text, move_text, parse_game, parse_move
from eval.analysis.record import GameRecord
from eval.analysis.results import ActionAnalysis, Analysis
from eval.guide import estimates
from eval.guide.decisions import SPECIES_OF, Decisions, decisions_of_player
from eval.guide.figures import Position, PositionMove
from eval.guide.games import ALL, Games
from eval.guide.judge import Judge, Tick
from eval.pictures.board import describe, draw_position

#: The opponent that plays the move that looks best at once.
OBVIOUS = "heuristic"
SHOWN = 10
# Candidates for each animal that a search looks at.
_SEARCHED = 8
# Before and after these turns there is little to see.
_FIRST_TURN, _LAST_TURN = 3, 17
# A decided game teaches nothing: the win probability of the best move is between these.
_OPEN = (0.3, 0.97)
# Standard errors that a move must be worse by.
_CERTAIN = 4.0
# Of the positions, so many at most have the same obvious animal.
_MOST_ALIKE = 3
# Differs from the seeds of the searches that chose the positions.
_FRESH = 1_000_003


class _Candidate(NamedTuple):
    game: int
    turn: int
    obvious: str
    analysis: Analysis

    @property
    def animal(self) -> str:
        """The animal that is best."""
        return parse_move(self.analysis.best).species

    @property
    def obvious_animal(self) -> str:
        return parse_move(self.obvious).species

    @property
    def certain_loss(self) -> float:
        """The win probability that the obvious move loses at least."""
        behind = self.analysis.of(self.obvious).behind
        return behind.mean - _CERTAIN * (behind.error or 0.0)


def position_figures(
    judge: Judge,
    games: Games,
    samples: int,
    position_samples: int,
    seed: int,
    tick: Tick | None = None,
) -> list[Position]:
    """Finds the positions, with a different best animal each.

    Args:
      judge: judges the candidates.
      games: the games of the search.
      samples: worlds of each candidate.
      position_samples: worlds of each position that is shown.
      seed: the seed of the worlds.
      tick: called with (candidates judged, candidates in all).
    """
    candidates = []
    found = _most_promising(judge, games)
    for done, (game, turn, obvious) in enumerate(found):
        if tick is not None:
            tick(done, len(found))
        analysis = judge.engine.analyse(
            games.record(game, turn, judge.scoring), samples=samples, seed=seed + done
        )
        candidate = _Candidate(game, turn, obvious, analysis)
        differs = candidate.animal != candidate.obvious_animal
        if differs and candidate.certain_loss > 0 and _is_open(analysis.win.mean):
            candidates.append(candidate)
    chosen: list[_Candidate] = []
    for candidate in sorted(candidates, key=lambda one: -one.certain_loss):
        alike = sum(one.obvious_animal == candidate.obvious_animal for one in chosen)
        is_new = all(
            one.animal != candidate.animal and one.game != candidate.game for one in chosen
        )
        if is_new and alike < _MOST_ALIKE and len(chosen) < SHOWN:
            chosen.append(candidate)
    positions: list[Position] = []
    for candidate in sorted(chosen, key=lambda one: one.turn):
        number = len(positions) + 1
        position = _position(judge, games, number, candidate, position_samples, seed + _FRESH)
        if position.animal != candidate.obvious_animal and position.obvious.behind.is_positive:
            positions.append(position)
    return positions


def _most_promising(judge: Judge, games: Games) -> list[tuple[int, int, str]]:
    """(game, turn, obvious move) where the network would lose the most by it, for each animal."""
    decisions = decisions_of_player(games)
    in_time = (decisions.turns >= _FIRST_TURN) & (decisions.turns <= _LAST_TURN)
    decisions = decisions.take(np.flatnonzero(in_time & (decisions.hands.sum(axis=1) > 1)))
    wins = judge.win_probabilities(decisions.rows)
    obvious = _obvious_moves(judge, games, decisions)
    each = np.arange(len(decisions))
    losses = wins.max(axis=1) - wins[each, obvious]
    best = SPECIES_OF[wins.argmax(axis=1)]
    fits = (best != SPECIES_OF[obvious]) & [_is_open(win) for win in wins.max(axis=1).tolist()]
    found = []
    for species in range(len(SPECIES)):
        own = np.flatnonzero(fits & (best == species))
        for index in own[np.argsort(-losses[own], kind="stable")][:_SEARCHED].tolist():
            move = move_text(ACTIONS[int(obvious[index])])
            found.append((int(decisions.games[index]), int(decisions.turns[index]), move))
    return found


def _obvious_moves(judge: Judge, games: Games, decisions: Decisions) -> np.ndarray:
    """uint8 [K]: the ids of the moves that look best at once."""
    found = np.zeros(len(decisions), np.uint8)
    for game in np.unique(decisions.games).tolist():
        own = np.flatnonzero(decisions.games == game)
        states = games.record(game, int(decisions.turns[own].max()), judge.scoring).states
        for index in own.tolist():
            state = states[int(decisions.turns[index])]
            found[index] = action_id(best_actions(state, OBVIOUS)[0])
    return found


def _is_open(win: float) -> bool:
    return _OPEN[0] <= win <= _OPEN[1]


def _position(
    judge: Judge, games: Games, number: int, candidate: _Candidate, samples: int, seed: int
) -> Position:
    """A position with the figures of its last search."""
    whole = games.record(candidate.game, candidate.turn, judge.scoring)
    seat = candidate.turn % 2
    known = whole.seen_by(seat)
    analysis = judge.engine.analyse(whole, samples=samples, seed=seed)
    moves = {action.action: _move(known, seat, action) for action in analysis.actions}
    best, obvious = moves.pop(analysis.best), moves.pop(candidate.obvious, None)
    hand = known.state(candidate.turn).hands[seat]
    return Position(
        number=number,
        animal=parse_move(best.move).species,
        opponent=ALL[games.plan.opponents[candidate.game]],
        seat=seat,
        turn=candidate.turn,
        game=game_text(known),
        hand=[card.species for card in hand],
        best=best,
        obvious=obvious or best,
        others=list(moves.values()),
        holds=analysis.opponent.hand,
    )


def _move(known: GameRecord, seat: int, action: ActionAnalysis) -> PositionMove:
    """A move of the position at the end of a game as one seat has seen it."""
    state = known.states[-1]
    move = parse_move(action.action)
    line, record = [], known
    for step in action.line:
        played = parse_move(step)
        record = record.after(played)
        words = describe(played, record.states[-2])
        line.append(f"{'you' if record.states[-2].to_move == seat else 'they'}: {words}")
    end = record.states[-1]
    return PositionMove(
        move=action.action,
        words=describe(move, state),
        win=estimates.of_estimate(action.win, action.samples),
        behind=estimates.of_estimate(action.behind, action.samples),
        margin=estimates.of_estimate(action.margin, action.samples),
        told=_told(state, move),
        line=line,
        reply=parse_move(action.line[1]).species if len(action.line) > 1 else "",
        entered=_new_points(state.bar, end.bar, seat),
        thrown_out=_new_points(state.thats_it, end.thats_it, seat),
    )


def _told(state: State, move: Action) -> list[str]:
    """What a move does, from the side of its player; what acts again in vain is left out."""
    told = []
    queue = state.queue
    for step in turn_steps(state, move):
        happens = step.queue != queue or step.to_bar or step.to_thats_it
        queue = step.queue
        if step.kind in ("act", "gate") or (step.kind == "recur" and happens):
            names = [
                f"{'your' if card.owner == state.to_move else 'their'} {card.species}"
                for card in step.told.cards
            ]
            text = step.told.text.format(*names)
            told.append(text[0].upper() + text[1:])
    return told


def _new_points(before: Sequence[Card], after: Sequence[Card], seat: int) -> tuple[int, int]:
    """The points of a seat and of its opponent that a pile has gained."""
    new = [card for card in after if card not in before]
    own = sum(card.points for card in new if card.owner == seat)
    return own, sum(card.points for card in new) - own


def picture_of(position: Position) -> str:
    """The picture of a position, as SVG."""
    return draw_position(parse_game(position.game).states[-1], viewer=position.seat)
