"""Matches over shared deals: all players get the same deals, each from both seats."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import ndtri

from bb_jax.errors import EvaluationError
from bb_sim import OPPONENTS
from bb_sim.arena import EXTERNAL, NO_ACTION, NO_DECISION, Arena
from bb_sim.rules.observation import TURN_BYTE
from eval.matches.agents import select_action_id
from eval.matches.players import (
    AgentPlayer,
    NamedPlayer,
    Player,
    PolicyPlayer,
    SearchPlayer,
    as_player,
    decide,
)
from eval.matches.recording import Recording
from eval.matches.search_session import SearchSession
from eval.matches.streams import mixed_seeds

MAX_SLOTS = 4096
MIN_SLOTS = 64
_MAX_EXTERNAL = NO_DECISION - EXTERNAL

ExternalPlayer = PolicyPlayer | AgentPlayer | SearchPlayer
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class MatchResult:
    """What one player achieved against one opponent.

    D denotes deals. Each was played twice: in column 0 the player moves first, in column 1 second.

    Attributes:
      player, opponent: names.
      games: 2 D.
      wins, draws, losses: the player's games by their outcome.
      win_rate: wins / games; a draw is not a win.
      ci95: 95 % Wilson interval of the win rate (Wilson 1927), as fractions.
      mean_margin: mean of the player's score minus the opponent's, in the scoring's units.
      margins: int8 [D, 2], the player's score minus the opponent's.
      outcomes: int8 [D, 2], +1, 0 or -1 for the player. Row i is the same deal in all results with
        the same opponent and seed, so players can be compared deal by deal. D is 0 in results that
        were read from JSON.
      actions: what the player played in each game, in order, uint8 [D, 2, 12], and 255 after its
        last turn; None unless it was recorded.
    """

    player: str
    opponent: str
    games: int
    wins: int
    draws: int
    losses: int
    win_rate: float
    ci95: tuple[float, float]
    mean_margin: float
    margins: np.ndarray = field(repr=False, compare=False)
    outcomes: np.ndarray = field(repr=False, compare=False)
    actions: np.ndarray | None = field(default=None, repr=False, compare=False)

    @classmethod
    def from_deals(
        cls,
        player: str,
        opponent: str,
        margins: np.ndarray,
        outcomes: np.ndarray,
        actions: np.ndarray | None = None,
    ) -> MatchResult:
        """The result from margins and outcomes, both int8 [D, 2] from the player's side, D >= 1."""
        games = outcomes.size
        wins = int(np.count_nonzero(outcomes > 0))
        draws = int(np.count_nonzero(outcomes == 0))
        return cls(
            player=player,
            opponent=opponent,
            games=games,
            wins=wins,
            draws=draws,
            losses=games - wins - draws,
            win_rate=wins / games,
            ci95=wilson_interval(wins, games),
            mean_margin=float(margins.sum(dtype=np.int64)) / games,
            margins=margins,
            outcomes=outcomes,
            actions=actions,
        )

    def as_json(self) -> dict[str, Any]:
        """The result without its deals, ready for JSON."""
        return {
            "opponent": self.opponent,
            "games": self.games,
            "wins": self.wins,
            "draws": self.draws,
            "losses": self.losses,
            "win_rate": self.win_rate,
            "ci95": list(self.ci95),
            "mean_margin": self.mean_margin,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], player: str = "policy") -> MatchResult:
        """The result whose `as_json` is `data`, without its deals.

        Raises:
          EvaluationError: a value is missing or of another type.
        """
        try:
            low, high = data["ci95"]
            counts = [data[key] for key in ("games", "wins", "draws", "losses")]
            if not (
                isinstance(data["opponent"], str)
                and all(isinstance(count, int) and 0 <= count < 2**53 for count in counts)
                and all(map(_is_finite, (low, high, data["win_rate"], data["mean_margin"])))
            ):
                raise TypeError("a value of another type")
            return cls(
                player=player,
                opponent=data["opponent"],
                games=data["games"],
                wins=data["wins"],
                draws=data["draws"],
                losses=data["losses"],
                win_rate=data["win_rate"],
                ci95=(low, high),
                mean_margin=data["mean_margin"],
                margins=np.zeros((0, 2), np.int8),
                outcomes=np.zeros((0, 2), np.int8),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise EvaluationError(
                f"not a complete match result ({error!r}): {data!r:.200}"
            ) from error


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) <= sys.float_info.max


def wilson_interval(wins: int, games: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion, without continuity correction.

    As `scipy.stats.binomtest` gives it, whose import would take half a second of every start.
    """
    z = float(ndtri(0.975))
    share = wins / games
    scale = 2 * (games + z**2)
    center = (2 * games * share + z**2) / scale
    reach = z / scale * math.sqrt(4 * games * share * (1 - share) + z**2)
    return center - reach if wins else 0.0, center + reach if wins < games else 1.0


def check_games(games: int, name: str = "the number of games") -> None:
    """Raises EvaluationError, which calls them `name`, unless the games are even and at least 2."""
    if games < 2 or games % 2:
        raise EvaluationError(
            f"{name} must be even, because each deal is played from both seats, and at least 2, "
            f"not {games}"
        )


def deal_seeds(seed: int, deals: int, stream: str = "") -> np.ndarray:
    """uint64 [deals]: entry i depends on (seed, stream, i) alone, whatever the number of deals.

    Raises:
      EvaluationError: the seed is negative.
    """
    if seed < 0:
        raise EvaluationError(f"the seed must not be negative, but it is {seed}")
    sequence = np.random.SeedSequence([seed, *stream.encode()])
    return np.random.Philox(sequence).random_raw(deals)


def evaluate(
    policy: Any,
    opponents: Sequence[Any],
    games: int,
    seed: int,
    scoring: str = "points",
    *,
    name: str = "policy",
    on_progress: OnProgress | None = None,
) -> list[MatchResult]:
    """Plays one policy against each opponent, over deals that depend on seed and opponent alone.

    Args:
      policy: a policy function (observations uint8 [B, 19] -> action ids uint8 [B]), a bb_jax
        Policy (which plays greedily), or a Player.
      opponents: texts as in `make_player`, or Players.
      games: games against each opponent; even, because each deal is played from both seats.
      seed: the seed of the deals; the same seed gives the same deals to every policy.
      scoring: "points" or "animals".
      name: what errors call the policy.
      on_progress: called with (games finished, games in all) between forward passes; an error that
        it raises ends the evaluation.

    Returns:
      One result an opponent, in their order.

    Raises:
      EvaluationError: see `play_pairings` and `make_player`.
      bb_jax.CheckpointError: an opponent is a checkpoint that is missing or damaged.
    """
    others = [as_player(opponent, "opponent") for opponent in opponents]
    return play_matches(
        [as_player(policy, name)], others, games, seed, scoring, on_progress=on_progress
    )


def play_matches(
    players: Sequence[Player],
    opponents: Sequence[Player],
    games: int,
    seed: int,
    scoring: str = "points",
    *,
    slots: int | None = None,
    on_progress: OnProgress | None = None,
) -> list[MatchResult]:
    """Plays every player against every opponent; results by player, then by opponent."""
    pairings = [(player, opponent) for player in players for opponent in opponents]
    return play_pairings(pairings, games, seed, scoring, slots=slots, on_progress=on_progress)


def play_pairings(
    pairings: Sequence[tuple[Player, Player]],
    games: int,
    seed: int,
    scoring: str = "points",
    *,
    streams: Sequence[str] | None = None,
    first_deal: int = 0,
    records: bool = False,
    slots: int | None = None,
    on_progress: OnProgress | None = None,
) -> list[MatchResult]:
    """Plays N games of every pairing: N / 2 deals, each from both seats.

    All games share one arena. The policy that most games wait for answers next, so that forward
    passes are full. Which games share a pass depends on the games alone.

    Args:
      pairings: P pairs (player, opponent).
      games: N, even.
      seed: the seed of the deals. The two games of a deal also share the named opponents' random
        stream.
      scoring: "points" or "animals".
      streams: P names; pairings of the same stream play the same deals. The default is the
        opponents' names: players who meet the same opponent share its deals, and results against
        different opponents are independent.
      first_deal: number of deals to skip, so that a match can be played in parts.
      records: whether the results keep what the first players of the pairs played; none of them may
        be a named opponent then.
      slots: games in progress at once; None chooses by the number of games.
      on_progress: called with (games finished, games in all) between forward passes.

    Returns:
      P results, from the first player's side.

    Raises:
      EvaluationError: N is odd or below 2, the seed is negative, an arena cannot take so many
        policies and agents, or one of them returned an illegal action.
    """
    check_games(games)
    total = games * len(pairings)
    if total == 0:
        return []
    streams = [opponent.name for _, opponent in pairings] if streams is None else streams
    last_deal = first_deal + games // 2
    of_stream = {name: deal_seeds(seed, last_deal, name)[first_deal:] for name in set(streams)}
    seeds = np.stack([of_stream[name] for name in streams], axis=1)
    external, controllers = _seat_players(pairings)
    # [D, P, 2] in the order of play: pairings take turns, so that all of them fill the batches.
    shape = (games // 2, len(pairings), 2)
    game_seeds = np.ascontiguousarray(np.broadcast_to(seeds[:, :, None], shape)).reshape(-1)
    game_controllers = np.ascontiguousarray(
        np.broadcast_to(controllers, (*shape, 2)).reshape(-1, 2)
    )
    sessions = {
        player: SearchSession(player.search, player.params, game_seeds, game_controllers)
        for player in external
        if isinstance(player, SearchPlayer)
    }

    arena = Arena(slots or _choose_slots(total), scoring=scoring)
    record = Recording(len(game_seeds)) if records else None
    arena.start(
        game_seeds,
        game_controllers,
        rollout=None if record is None else record.rollout,
        trajectories=None if record is None else record.trajectories,
    )
    begun = 0
    while arena.pending:
        _answer_waiting(arena, external, sessions, game_seeds, records)
        if on_progress is not None:
            # Games begin in order. A game that has begun is over unless it waits in a slot.
            begun = max(begun, int(arena.games.max()) + 1) if arena.pending else total
            on_progress(begun - arena.pending, total)

    # From seat 0's side to the player's, who has seat 1 in the second game of a deal.
    own = np.array([1, -1], np.int8)
    margins = (arena.margins.reshape(shape) * own).swapaxes(0, 1).copy()
    outcomes = (arena.outcomes.reshape(shape) * own).swapaxes(0, 1).copy()
    actions = None if record is None else record.actions.reshape(*shape, -1).swapaxes(0, 1)
    return [
        MatchResult.from_deals(
            player.name,
            opponent.name,
            margins[p],
            outcomes[p],
            None if actions is None else actions[p].copy(),
        )
        for p, (player, opponent) in enumerate(pairings)
    ]


def _seat_players(
    pairings: Sequence[tuple[Player, Player]],
) -> tuple[list[ExternalPlayer], np.ndarray]:
    """The external players in order of appearance, and controllers uint8 [P, 2 games, 2 seats]."""
    external: list[ExternalPlayer] = []

    def controller(player: Player) -> int:
        if isinstance(player, NamedPlayer):
            return OPPONENTS.index(player.name)
        if player not in external:
            external.append(player)
        return EXTERNAL + external.index(player)

    pairs = [(controller(player), controller(opponent)) for player, opponent in pairings]
    if len(external) > _MAX_EXTERNAL:
        raise EvaluationError(
            f"at most {_MAX_EXTERNAL} policies and agents can play at once, not {len(external)}"
        )
    return external, np.array([(pair, pair[::-1]) for pair in pairs], np.uint8)


def _choose_slots(total: int) -> int:
    """A power of two from 64 to 4096; from 64 rows on a forward pass always rounds alike."""
    return int(np.clip(1 << (total - 1).bit_length(), MIN_SLOTS, MAX_SLOTS))


def _answer_waiting(
    arena: Arena,
    external: Sequence[ExternalPlayer],
    sessions: Mapping[SearchPlayer, SearchSession],
    seeds: np.ndarray,
    records: bool,
) -> None:
    """Takes the decisions of the external player whom most games wait for."""
    deciders = arena.deciders
    counts = np.bincount(deciders, minlength=NO_DECISION + 1)[:NO_DECISION]
    k = int(counts.argmax())
    player = external[k]
    rows = np.flatnonzero(deciders == k)
    if isinstance(player, AgentPlayer):
        chosen = np.array(
            [select_action_id(player.name, player.agent, arena.state(int(row))) for row in rows],
            np.uint8,
        )
    elif isinstance(player, SearchPlayer):
        chosen = sessions[player].decide(arena.games[rows], arena.observations[rows])
    else:
        observations = arena.observations[rows]
        uniforms = None
        if player.samples:
            uniforms = _uniforms(seeds[arena.games[rows]], observations[:, TURN_BYTE])
        chosen = decide(player, observations, uniforms)
    actions = np.full(arena.num_slots, NO_ACTION, np.uint8)
    # An id that is out of range must neither wrap around nor become NO_ACTION.
    actions[rows] = np.where((chosen < 0) | (chosen >= NO_ACTION), NO_ACTION - 1, chosen)
    try:
        arena.step(actions, np.zeros(arena.num_slots, np.float32) if records else None)
    except ValueError as error:
        raise EvaluationError(f"{player.name} chose an illegal action: {error}") from error


def _uniforms(seeds: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """float32 [B] in (0, 1), from uint64 [B] game seeds and uint8 [B] turns alone.

    They have 22 bits and are centred: 0 and 1 never occur, and single precision holds every value.
    """
    bits = (mixed_seeds(seeds, turns) >> np.uint64(42)).astype(np.float32)
    return (bits + np.float32(0.5)) / np.float32(1 << 22)
