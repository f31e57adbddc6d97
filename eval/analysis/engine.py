"""The analysis engine: what each action of a position is worth, judged by what a seat could know.

It samples as `bb_jax.search.Search` does, and finds the same values from the same seeds. Review,
hints, the page, the terminal and the protocol all ask it.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

import jax
import numpy as np

from bb_jax.networks.afterstates import MAX_AFTERSTATES
from bb_jax.networks.network import build_network
from bb_jax.policies.policy_file import Policy, policy_hash
from bb_jax.search.beliefs import Beliefs
from bb_jax.search.config import KNOWN, MODELS, UNKNOWN, SearchConfig
from bb_jax.search.sampler import Positions
from bb_jax.search.search import Search, simulation_depths
from bb_sim import ACTIONS, SPECIES, Card, State, is_terminal
from bb_sim.opponents.posterior import hand_probabilities
from bb_sim.rules.actions import Scoring
from bb_sim.rules.engine import DECK_SIZE
from bb_sim.rules.observation import TURN_BYTE, legal_mask_of
from bb_sim.search.endgame import are_endgames
from eval.analysis.answers import Question, from_parts, from_tally
from eval.analysis.endgames import endgame_parts
from eval.analysis.errors import AnalysisError, CancelledError
from eval.analysis.evaluator import PartsEvaluator
from eval.analysis.record import GameRecord
from eval.analysis.results import Analysis, Perspective
from eval.analysis.sampling import Tally, TallyingSampler
from eval.matches.streams import mixed_seeds

OPPONENT_CHOICES = (UNKNOWN, *MODELS)
DEFAULT_SAMPLES = 200
# Simulations between two looks at whether the analysis is cancelled or a report is due.
_CAPACITY = 8192

_ONLY = np.zeros(1, np.int64)
# What is believed at so many decisions is kept, 22 kB each.
_MOST_REMEMBERED = 1000

OnReport = Callable[[Analysis], None]


class Engine:
    """Analyses positions with one network.

    `analyse` may be called by several threads at once. It depends on its arguments alone, unless
    the budget is time.

    Attributes:
      scoring: "points" or "animals", what the network was trained for.
      identity: differs between engines that would judge differently.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        margin_weight: float = 0.02,
        draw_reward: float = -1.0,
        depth: int = 2,
    ):
        """Compiles on first use; `warm_up` does it at once.

        Args:
          policy: from `bb_jax.load_policy`.
          margin_weight, draw_reward, depth: as in `SearchConfig`.
        """
        self._network = build_network(policy.network_config, policy.scoring)
        self._params = jax.tree.map(jax.numpy.array, policy.params)
        self._defaults = SearchConfig(
            samples=0, margin_weight=margin_weight, draw_reward=draw_reward, depth=depth
        )
        temperature = policy.metadata.get("policy_temperature")
        self._evaluator = PartsEvaluator(self._network, margin_weight, draw_reward, temperature)
        self.scoring: Scoring = "animals" if policy.scoring == "animals" else "points"
        self.identity = f"{policy_hash(policy.params)} {self._defaults}"
        # Beliefs ask a search whom it assumes and what the network plays; it plays nothing out.
        self._searches = {
            opponent: Search(
                self._network,
                self._defaults.replace(opponent=opponent),
                MAX_AFTERSTATES,
                threads=1,
                evaluator_type=lambda *_: self._evaluator,
            )
            for opponent in OPPONENT_CHOICES
        }
        self._warming = threading.Lock()
        self._is_warm = False
        self._remembered = _Remembered()

    def warm_up(self) -> None:
        """Compiles everything that an analysis needs, once."""
        with self._warming:
            if not self._is_warm:
                self._evaluator.warm_up(self._params)
                self._is_warm = True

    def analyse(
        self,
        record: GameRecord,
        *,
        turn: int | None = None,
        seat: int | None = None,
        samples: int | None = None,
        milliseconds: float | None = None,
        opponent: str = UNKNOWN,
        perspective: Perspective = "seat",
        sees_hand: bool = False,
        seed: int = 0,
        cancelled: Callable[[], bool] | None = None,
        report: OnReport | None = None,
        report_every: float = 1.0,
    ) -> Analysis:
        """Analyses the position of a game at a turn.

        Args:
          record: the game. Under the perspective `seat` everything that the seat has not seen by
            then is hidden first, so that it cannot count.
          turn: the turn; by default that after the last move.
          seat: the seat to move; by default whichever it is.
          samples: worlds to sample, by default 200; 0 asks the network alone.
          milliseconds: time to sample for instead.
          opponent: `unknown` (inferred from its moves), `network`, or a named opponent.
          perspective: `seat`, or `all` for an analysis that sees the hidden cards.
          sees_hand: whether the opponent's hand is seen, even where its deck is not.
          seed: the seed of the worlds.
          cancelled: asked between blocks of worlds whether to stop.
          report: called with what is known so far, every `report_every` seconds.
          report_every: see `report`.

        Raises:
          AnalysisError: the arguments do not fit together, or there is nothing to analyse.
          CancelledError: `cancelled` said so.
        """
        begun = time.perf_counter()
        turn = record.end_turn if turn is None else turn
        record = record.until(turn)
        state = record.state(turn)
        seat = self._check(record, state, seat, "all" if sees_hand else perspective)
        config = self._config(samples, milliseconds, opponent)
        known = record.seen_by(seat)
        row = known.row(turn, seat)
        posterior = self._posterior(known, seat, opponent)
        if perspective == "all" or sees_hand:
            posterior = _given_hand(row, posterior, state.hands[1 - seat])
        question = Question(
            row=row,
            posterior=posterior,
            decks=_decks_of(state) if perspective == "all" else None,
            seat=seat,
            config=config,
            perspective=perspective,
            policy=self._evaluator.policies(self._params, row[None])[0],
            begun=begun,
        )
        if cancelled is not None and cancelled():
            raise CancelledError
        if are_endgames(row[None])[0]:
            return self._solved(question)
        if config.samples == 0:
            return self._judged(question)
        watch = _watch(question, cancelled, report, report_every)
        return self._sampled(
            question, mixed_seeds(np.array([seed], np.uint64), row[None, TURN_BYTE]), watch
        )

    # --- What goes in ---------------------------------------------------------------------------

    def _check(
        self, record: GameRecord, state: State, seat: int | None, perspective: Perspective
    ) -> int:
        """The seat to move, once the arguments fit together."""
        if record.scoring != self.scoring:
            raise AnalysisError(
                f"the network was trained for scoring by {self.scoring}, and the game is scored by "
                f"{record.scoring}",
                "scoring",
            )
        if is_terminal(state):
            raise AnalysisError(f"the game is over at turn {state.turn}", "analyzeTurns")
        if seat is not None and seat != state.to_move:
            raise AnalysisError(
                f"at turn {state.turn} player {state.to_move} is to move, not player {seat}", "seat"
            )
        if not record.knows_hand(state.turn, state.to_move):
            raise AnalysisError(
                f"at turn {state.turn} the hand of player {state.to_move}, who is to move, is not "
                "known",
                "seat",
            )
        if perspective == "all" and not record.is_complete:
            raise AnalysisError(
                "an analysis that sees all cards needs all of them, and some are not known",
                "perspective",
            )
        return state.to_move

    def _config(
        self, samples: int | None, milliseconds: float | None, opponent: str
    ) -> SearchConfig:
        if opponent == KNOWN or opponent not in OPPONENT_CHOICES:
            raise AnalysisError(
                f"the opponent must be one of {', '.join(OPPONENT_CHOICES)}, not {opponent!r:.40}",
                "opponent",
            )
        if samples is None and milliseconds is None:
            samples = DEFAULT_SAMPLES
        try:
            return self._defaults.replace(
                samples=samples, milliseconds=milliseconds, opponent=opponent
            )
        except ValueError as error:
            field = "milliseconds" if samples is None else "samples"
            raise AnalysisError(str(error), field) from error

    def _posterior(self, known: GameRecord, seat: int, opponent: str) -> np.ndarray:
        """float32 [H, M]: what the seat believes of the opponent, by what it has seen.

        Decisions that have been asked about before are looked up.
        """
        own = [turn for turn in range(known.start.turn, known.end_turn + 1) if turn % 2 == seat]
        beliefs = Beliefs(self._searches[opponent], self._params, np.zeros(1, np.int64))
        rows = [known.row(turn, seat)[None] for turn in own]
        seen: tuple[object, ...] = (opponent, known.row(known.start.turn, seat).tobytes())
        posterior = None
        for number, (turn, row) in enumerate(zip(own, rows, strict=True)):
            if number:
                move = ACTIONS.index(known.moves[turn - 2 - known.start.turn])
                beliefs.played(_ONLY, rows[number - 1], np.array([move], np.uint8))
                # The opponent answered what this move led to, which the next row need not show.
                seen = (*seen, move)
            elif turn > 1:
                # What was played before the record begins is not known.
                beliefs.join(_ONLY, known.row(known.start.turn, seat)[None])
            seen = (*seen, row.tobytes())
            posterior = self._remembered.get(seen)
            if posterior is not None:
                beliefs.resume(_ONLY, posterior[None])
            else:
                learns = turn < 2 or turn > known.start.turn
                posterior = beliefs.at(_ONLY, row)[0] if learns else beliefs.now(_ONLY)[0]
                self._remembered.put(seen, posterior)
        assert posterior is not None
        return posterior

    # --- What comes out -------------------------------------------------------------------------

    def _sampled(
        self, question: Question, seeds: np.ndarray, watch: Callable[[Tally], None]
    ) -> Analysis:
        config, row = question.config, question.row[None]
        legal = legal_mask_of(row)
        sampler = TallyingSampler(
            self._evaluator, config, self.scoring, _CAPACITY, question.decks, watch
        )
        if config.milliseconds is not None:
            # Compiling must not count as time for the position.
            self.warm_up()
        depth = int(simulation_depths(config.depth, row[:, TURN_BYTE].astype(int))[0])
        positions = Positions(
            row, question.posterior[None], seeds, legal, np.zeros(1, np.int32), depth
        )
        deadline = time.perf_counter() + (config.milliseconds or 0) / 1000
        found = sampler.halve(self._params, positions, deadline)
        return from_tally(question, sampler.tally, int(found.actions[0]), partial=False)

    def _judged(self, question: Question) -> Analysis:
        """The network's own judgement, without sampling."""
        row = question.row
        values = self._evaluator.action_values(self._params, row[None])[0]
        legal = np.flatnonzero(np.isfinite(values))
        parts = self._evaluator.parts_of_actions(self._params, row)
        parts = np.column_stack([values[legal], parts[:, 1:]]).astype(float)
        return from_parts(question, legal, parts, None)

    def _solved(self, question: Question) -> Analysis:
        """An endgame, searched to its end."""
        parts, draws = endgame_parts(
            question.row, question.posterior, question.config, self.scoring
        )
        legal = np.flatnonzero(np.isfinite(parts[:, 0]))
        return from_parts(question, legal, parts[legal], draws[legal])


def _watch(
    question: Question,
    cancelled: Callable[[], bool] | None,
    report: OnReport | None,
    every: float,
) -> Callable[[Tally], None]:
    """What happens between blocks of worlds."""
    due = question.begun + every

    def watch(tally: Tally) -> None:
        nonlocal due
        if cancelled is not None and cancelled():
            raise CancelledError
        now = time.perf_counter()
        if report is not None and now >= due:
            due = now + every
            report(from_tally(question, tally, None, partial=True))

    return watch


class _Remembered:
    """What was believed at the decisions asked about last; for several threads."""

    def __init__(self) -> None:
        self._entries: OrderedDict[tuple[object, ...], np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, seen: tuple[object, ...]) -> np.ndarray | None:
        with self._lock:
            if seen in self._entries:
                self._entries.move_to_end(seen)
            return self._entries.get(seen)

    def put(self, seen: tuple[object, ...], posterior: np.ndarray) -> None:
        with self._lock:
            self._entries[seen] = posterior
            if len(self._entries) > _MOST_REMEMBERED:
                self._entries.popitem(last=False)


def _given_hand(row: np.ndarray, posterior: np.ndarray, hand: Sequence[Card]) -> np.ndarray:
    """The posterior float32 [H, M] once the opponent's hand is seen."""
    held = np.array([SPECIES.index(card.species) for card in hand])
    certain = np.zeros_like(posterior)
    # Slot by slot, only the hand in question holds all its cards for certain.
    for slot in np.flatnonzero(posterior.sum(axis=1)):
        certain[slot] = posterior[slot]
        if (hand_probabilities(row[None], certain[None])[0, held] > 0.5).all():
            return certain
        certain[slot] = 0
    raise AssertionError("the posterior rules out the opponent's hand")


def _decks_of(state: State) -> np.ndarray:
    """uint8 [2, 8]: the decks, the next card first, 255 beyond their ends."""
    decks = np.full((2, DECK_SIZE), 255, np.uint8)
    for seat, deck in enumerate(state.decks):
        decks[seat, : len(deck)] = [SPECIES.index(card.species) for card in deck]
    return decks
