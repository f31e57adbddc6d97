"""Matches played in parts, so that a stopped match can be resumed.

Deal i of a match depends on the seed and i alone, and no game depends on the others. So the parts
together are the match as if it were played at once.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bb_jax.errors import EvaluationError
from bb_jax.files import read_whole, write_whole
from bb_sim.arena import MAX_DECISIONS
from eval.matches.match import MatchResult, OnProgress, check_games, play_pairings
from eval.matches.players import Player, SearchPlayer, identity_of

_FORMAT = 1
# Games of the first part; later parts grow until one takes some seconds.
FIRST_PART = 8192
# The same if somebody searches, which takes a hundred times as long.
FIRST_SEARCHED_PART = 256
_SECONDS_OF_A_PART = 5.0
# Searching few positions at once is slow, so the parts of a search are longer.
_SECONDS_OF_A_SEARCHED_PART = 40.0


class PartialResults:
    """The deals of an evaluation that have been played so far, in a file beside its result.

    Its first line is JSON that identifies the evaluation. K arrays int8 [P, D, 2] follow, where P
    denotes pairings and D deals: margins, outcomes, and where they are recorded the player's
    actions, turn by turn.
    """

    def __init__(self, path: Path, note: Callable[[str], None]):
        """Names the file.

        Args:
          path: the file's path; the file need not exist.
          note: is told if the file cannot be used.
        """
        self.path = path
        self.note = note
        #: Games that the file already held when the evaluation began.
        self.games_found = 0

    @classmethod
    def beside(cls, result: Path, note: Callable[[str], None]) -> PartialResults:
        """The partial results of an evaluation whose result will be written to `result`."""
        return cls(result.with_name(f"{result.name}.partial"), note)

    def read(self, identity: dict[str, Any], pairings: int, kept: int = 2) -> np.ndarray:
        """What is kept of the first D deals, int8 [K, P, D, 2]; D is 0 without a file.

        Raises:
          EvaluationError: the file cannot be read.
        """
        nothing = np.zeros((kept, pairings, 0, 2), np.int8)
        try:
            head, _, body = read_whole(self.path).partition(b"\n")
        except FileNotFoundError:
            return nothing
        except OSError as error:
            raise EvaluationError(f"cannot read {self.path}: {error.strerror or error}") from error
        try:
            header = json.loads(head)
            stored, checksum = header["evaluation"], header["checksum"]
        except (ValueError, KeyError, TypeError, RecursionError):
            stored = checksum = None
        if checksum is None or checksum != zlib.crc32(body) or len(body) % (2 * kept * pairings):
            self.note(f"{self.path} is damaged; the evaluation begins anew")
            return nothing
        if stored != identity:
            self.note(f"{self.path} belongs to another evaluation; this one begins anew")
            return nothing
        return np.frombuffer(body, np.int8).reshape(kept, pairings, -1, 2)

    def write(self, identity: dict[str, Any], played: np.ndarray) -> None:
        """Stores what is kept, int8 [K, P, D, 2], in one step.

        Raises:
          EvaluationError: the file cannot be written.
        """
        body = played.tobytes()
        header = {"evaluation": identity, "checksum": zlib.crc32(body)}
        write_whole(self.path, json.dumps(header).encode() + b"\n" + body)

    def remove(self) -> None:
        """Removes the file; to be called once the result is written."""
        self.path.unlink(missing_ok=True)


def play_in_parts(
    pairings: Sequence[tuple[Player, Player]],
    games: int,
    seed: int,
    scoring: str = "points",
    *,
    streams: Sequence[str] | None = None,
    records: bool = False,
    partial: PartialResults | None = None,
    on_progress: OnProgress | None = None,
) -> list[MatchResult]:
    """Plays as `play_pairings` does, but in parts that are added to what `partial` holds.

    The results are equal, except for Python agents that remember earlier games.

    Args:
      pairings, games, seed, scoring, streams, records, on_progress: as in `play_pairings`.
      partial: keeps the parts until the caller removes it; None keeps nothing.

    Raises:
      EvaluationError: as in `play_pairings`, or `partial` cannot be read or written.
    """
    check_games(games)
    if not pairings:
        return []
    identity = {
        "format": _FORMAT,
        "seed": seed,
        "scoring": scoring,
        "pairings": [[identity_of(player) for player in pairing] for pairing in pairings],
        "streams": streams and list(streams),
    }
    kept = 2
    if records:
        identity["records"] = True
        kept += MAX_DECISIONS
    deals, total = games // 2, games * len(pairings)
    played = np.zeros((kept, len(pairings), 0, 2), np.int8)
    if partial is not None:
        played = partial.read(identity, len(pairings), kept)[:, :, :deals]
        partial.games_found = played.size // kept
    searched = any(isinstance(player, SearchPlayer) for pairing in pairings for player in pairing)
    first_part = FIRST_SEARCHED_PART if searched else FIRST_PART
    long_enough = _SECONDS_OF_A_SEARCHED_PART if searched else _SECONDS_OF_A_PART
    size = max(1, first_part // (2 * len(pairings)))
    while (done := played.shape[2]) < deals:
        begun = time.perf_counter()
        try:
            results = play_pairings(
                pairings,
                2 * min(size, deals - done),
                seed,
                scoring,
                streams=streams,
                first_deal=done,
                records=records,
                on_progress=_shifted(on_progress, 2 * done * len(pairings), total),
            )
        except KeyboardInterrupt:
            if partial is not None and done:
                partial.note(f"{played.size // kept} of {total} games are kept in {partial.path}")
            raise
        part = np.stack([_kept(result) for result in results], axis=1)
        played = np.concatenate([played, part], axis=2)
        if partial is not None:
            partial.write(identity, played)
        if time.perf_counter() - begun < long_enough:
            size *= 2
    return [
        MatchResult.from_deals(player.name, opponent.name, *_results_of(played[:, number]))
        for number, (player, opponent) in enumerate(pairings)
    ]


def _kept(result: MatchResult) -> np.ndarray:
    """int8 [K, D, 2]: what is kept of a result."""
    kept = [result.margins, result.outcomes]
    if result.actions is not None:
        kept += [*np.moveaxis(result.actions.view(np.int8), -1, 0)]
    return np.stack(kept)


def _results_of(kept: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Margins, outcomes and actions from what is kept, int8 [K, D, 2]."""
    margins, outcomes, *actions = kept
    return margins, outcomes, np.stack(actions, axis=-1).view(np.uint8) if actions else None


def _shifted(on_progress: OnProgress | None, before: int, total: int) -> OnProgress | None:
    if on_progress is None:
        return None
    return lambda done, _: on_progress(before + done, total)
