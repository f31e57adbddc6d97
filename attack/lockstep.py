"""Games in lock step with the slow second implementation of the rules, in plain Python.

A batch and an arena play the same games as the reference. Every observation, set of legal actions,
reward and result has to be equal.
"""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np

from attack.tally import Tally
from bb_sim import EXTERNAL, NO_DECISION, SCORINGS, Arena, GameBatch, c_state_to_python, new_game
from bb_sim.arena import MAX_DECISIONS, RolloutBuffer
from eval.console import show
from tests.reference import assert_shows, from_state, rules
from tests.reference.observation import mask_of, row_of

DEFAULT_COUNT = 100_000
# Games that are played at the same time; with another number the same games are played.
_AT_ONCE = 250
_TRIED = "lock step"


def attack_lockstep(count: int, seed: int, only: int | None = None) -> Tally:
    """Plays random games with both implementations.

    Args:
      count: number of games.
      seed: game i is a function of the seed and i.
      only: the number of the one game to play.
    """
    tally = Tally()
    numbers = list(range(count)) if only is None else [only]
    for first in range(0, len(numbers), _AT_ONCE):
        games = _Games(numbers[first : first + _AT_ONCE], seed)
        games.play()
        for number, wrong in games.wrong.items():
            tally.find(_TRIED, f"lockstep --seed {seed} --only {number}", wrong)
        equal = len(games.numbers) - len(games.wrong)
        if equal:
            tally.count(_TRIED, "games equal", equal)
        if (first // _AT_ONCE) % 40 == 39:
            show(f"lock step: {first + _AT_ONCE} games, {len(tally.findings)} findings")
    return tally


class _Games:
    """Games that are played at the same time.

    Attributes:
      numbers: their numbers.
      wrong: what differed first in a game, by its number.
    """

    def __init__(self, numbers: list[int], seed: int):
        self.numbers = numbers
        self.wrong: dict[int, str] = {}
        self._streams = [Random(f"{seed}:{number}") for number in numbers]
        seeds = np.array([stream.getrandbits(64) for stream in self._streams], np.uint64)
        # Both scorings, and games that end when they are decided, whatever games are beside them.
        kind = numbers[0] // _AT_ONCE
        self._scoring = SCORINGS[kind % 2]
        self._stops_early = kind // 2 % 2 == 1
        size = len(numbers)
        self._batch = GameBatch(size)
        self._batch.reset(seeds)
        self._arena = Arena(size, self._scoring, stop_when_decided=self._stops_early)
        self._record = RolloutBuffer(2 * size)
        self._arena.start(
            seeds,
            np.full((size, 2), EXTERNAL, np.uint8),
            rollout=self._record,
            trajectories=np.arange(2 * size, dtype=np.int32).reshape(size, 2),
        )
        self._positions = [from_state(new_game(int(game_seed))) for game_seed in seeds]
        # What the record of each seat of each game has to hold.
        self._rows: list[tuple[list[bytes], list[bytes]]] = [([], []) for _ in numbers]
        self._actions: list[tuple[list[int], list[int]]] = [([], []) for _ in numbers]

    def play(self) -> None:
        """Plays all games to their ends."""
        while not all(rules.is_terminal(position) for position in self._positions):
            self._play_turn()
        self._compare_results()

    def _differ(self, index: int, what: str) -> None:
        self.wrong.setdefault(self.numbers[index], what)

    def _play_turn(self) -> None:
        """Compares what is seen before a turn of every game, and plays a random move."""
        masks = self._batch.legal_masks().tolist()
        seen, shown = self._batch.observations(), self._arena.observations
        actions = np.full(len(self.numbers), 255, np.uint8)
        decisions = actions.copy()
        for index, position in enumerate(self._positions):
            mask = mask_of(position)
            row = row_of(position, position.to_move, mask)
            turn = f"at turn {position.turn}"
            if masks[index] != mask:
                self._differ(index, f"{turn} legal actions {masks[index]:#x}, not {mask:#x}")
            if seen[index].tobytes() != row:
                self._differ(index, f"{turn} observation {seen[index].tolist()}, not {list(row)}")
            is_over = rules.is_decided(position) if self._stops_early else mask == 0
            if (self._arena.deciders[index] == NO_DECISION) != is_over:
                self._differ(index, f"{turn} the arena's game is over: {not is_over}")
            if not is_over and shown[index].tobytes() != row:
                self._differ(index, f"{turn} the arena shows {shown[index].tolist()}")
            moves = rules.legal_moves(position)
            if not moves or self.numbers[index] in self.wrong:
                # A game that differs is not played on.
                self._positions[index] = _over(position)
                continue
            move = self._streams[index].choice(moves)
            actions[index] = rules.MOVES.index(move)
            if not is_over:
                decisions[index] = actions[index]
                self._rows[index][position.to_move].append(row)
                self._actions[index][position.to_move].append(int(actions[index]))
            self._positions[index] = rules.play(position, move)
        self._batch.step(actions)
        if self._arena.pending:
            self._arena.step(decisions, np.zeros(len(self.numbers), np.float32))

    def _compare_results(self) -> None:
        scores = {scoring: self._batch.scores(scoring).tolist() for scoring in SCORINGS}
        for index, position in enumerate(self._positions):
            if self.numbers[index] in self.wrong:
                continue
            counted = {
                "points": [rules.bar_points(position, player) for player in range(2)],
                "animals": [rules.bar_animals(position, player) for player in range(2)],
            }
            margins = counted[self._scoring]
            expected: dict[str, Any] = {
                "scores": counted,
                "outcome": rules.outcome(position, 0, self._scoring),
                "margin": margins[0] - margins[1],
                "rewards": [
                    [
                        rules.outcome(position, seat, self._scoring),
                        margins[seat] - margins[1 - seat],
                    ]
                    for seat in range(2)
                ],
                "lengths": [len(rows) for rows in self._rows[index]],
                "observations recorded": [b"".join(rows) for rows in self._rows[index]],
                "actions recorded": list(self._actions[index]),
            }
            lengths = self._record.lengths[2 * index : 2 * index + 2].tolist()
            seats = list(zip((2 * index, 2 * index + 1), lengths, strict=True))
            found = {
                "scores": {scoring: scores[scoring][index] for scoring in SCORINGS},
                "outcome": int(self._arena.outcomes[index]),
                "margin": int(self._arena.margins[index]),
                "rewards": self._record.rewards[2 * index : 2 * index + 2].tolist(),
                "lengths": lengths,
                "observations recorded": [
                    self._record.observations[i, :length].tobytes() for i, length in seats
                ],
                "actions recorded": [
                    self._record.actions[i, :length].tolist() for i, length in seats
                ],
            }
            for name, value in expected.items():
                if found[name] != value:
                    self._differ(index, f"at the end {name} {found[name]}, not {value}")
            if max(lengths) > MAX_DECISIONS:
                self._differ(index, f"{lengths} decisions")
            try:
                assert_shows(c_state_to_python(self._batch, index), position)
            except AssertionError:
                self._differ(index, "the last state differs")


def _over(position: rules.Position) -> rules.Position:
    """A position that is left alone: nobody holds a card."""
    if rules.is_terminal(position):
        return position
    after = position.copy()
    after.hands = [[] for _ in after.hands]
    after.decks = [[] for _ in after.decks]
    return after
