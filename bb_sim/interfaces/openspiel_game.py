"""Two-player Beasty Bar as the OpenSpiel game `python_beasty_bar`; needs the extra `openspiel`.

Importing this module registers the game, with the parameter `scoring` (`points` or `animals`).
Each chance node deals one card; its outcome is the species. Chance deals four cards to player 0,
four to player 1, and then one to a player after each of their turns until their deck is empty. The
order of a deck is open until its cards are drawn, so a state does not contain the future.

OpenSpiel copies the states of a Python game through Python, which is slow. `bb_sim` itself is fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bb_sim.rules.actions import ACTIONS, SPECIES, check_scoring
from bb_sim.rules.arguments import checked_int
from bb_sim.rules.conversion import legal_action_ids, state_after
from bb_sim.rules.engine import (
    DECK_SIZE,
    HAND_SIZE,
    NUM_ACTIONS,
    NUM_PLIES,
    NUM_SPECIES,
    QUEUE_SIZE,
)
from bb_sim.rules.game import winner
from bb_sim.rules.rendering import render
from bb_sim.rules.state import Card, State

try:
    import pyspiel
except ImportError as error:
    raise ImportError(
        "bb_sim.interfaces.openspiel_game needs OpenSpiel: "
        "install the project with its extra `openspiel`"
    ) from error

GAME_NAME = "python_beasty_bar"
NUM_PLAYERS = 2

GAME_TYPE = pyspiel.GameType(
    short_name=GAME_NAME,
    long_name="Beasty Bar",
    dynamics=pyspiel.GameType.Dynamics.SEQUENTIAL,
    chance_mode=pyspiel.GameType.ChanceMode.EXPLICIT_STOCHASTIC,
    information=pyspiel.GameType.Information.IMPERFECT_INFORMATION,
    utility=pyspiel.GameType.Utility.ZERO_SUM,
    reward_model=pyspiel.GameType.RewardModel.TERMINAL,
    max_num_players=NUM_PLAYERS,
    min_num_players=NUM_PLAYERS,
    provides_information_state_string=True,
    provides_information_state_tensor=True,
    provides_observation_string=True,
    provides_observation_tensor=True,
    provides_factored_observation_string=True,
    parameter_specification={"scoring": "points"},
)
GAME_INFO = pyspiel.GameInfo(
    num_distinct_actions=NUM_ACTIONS,
    max_chance_outcomes=NUM_SPECIES,
    num_players=NUM_PLAYERS,
    min_utility=-1.0,
    max_utility=1.0,
    utility_sum=0.0,
    max_game_length=NUM_PLIES,
)
PLAYED_SPECIES = tuple(SPECIES.index(action.species) for action in ACTIONS)


class BeastyBarGame(pyspiel.Game):
    """The game; `pyspiel.load_game("python_beasty_bar")` makes one.

    Raises:
        ValueError: the parameter `scoring` is neither `points` nor `animals`.
    """

    def __init__(self, params: dict[str, Any] | None = None) -> None:
        params = params or {}
        self.scoring = params.get("scoring", "points")
        check_scoring(self.scoring)
        super().__init__(GAME_TYPE, GAME_INFO, params)

    def new_initial_state(self) -> BeastyBarState:
        return BeastyBarState(self)

    def max_chance_nodes_in_history(self) -> int:
        return NUM_PLIES

    def make_py_observer(
        self,
        iig_obs_type: pyspiel.IIGObservationType | None = None,
        params: dict[str, Any] | None = None,
    ) -> BeastyBarObserver:
        """The observer for a type of observation, by default that without perfect recall."""
        return BeastyBarObserver(
            iig_obs_type or pyspiel.IIGObservationType(perfect_recall=False), params
        )


@dataclass(frozen=True, slots=True)
class Record:
    """The history of a game. It is immutable, so copies of a state share it.

    Attributes:
        dealt: the species (0 to 11) that chance dealt to each player, in order.
        actions: the ids of the actions played; player 0 began.
        position: the cards on the table and in the hands, with empty decks.
    """

    dealt: tuple[tuple[int, ...], ...] = ((),) * NUM_PLAYERS
    actions: tuple[int, ...] = ()
    position: State = State(hands=((),) * NUM_PLAYERS)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    @property
    def receiver(self) -> int | None:
        """The player to whom chance deals the next card, or None if a player is to move."""
        for player, dealt in enumerate(self.dealt):
            turns = len(self.actions[player::NUM_PLAYERS])
            if len(dealt) < min(HAND_SIZE + turns, NUM_SPECIES):
                return player
        return None

    @property
    def hands_dealt(self) -> bool:
        return bool(self.actions) or self.receiver is None

    def undealt(self, player: int) -> list[int]:
        return [species for species in range(NUM_SPECIES) if species not in self.dealt[player]]

    def after_deal(self, player: int, species: int) -> Record:
        """The record after chance deals a card. ValueError if it has been dealt before."""
        if species not in self.undealt(player):
            raise ValueError(f"chance cannot deal species {species} to player {player}")
        dealt, hands = list(self.dealt), list(self.position.hands)
        dealt[player] += (species,)
        hands[player] += (Card(player, SPECIES[species]),)
        position = replace(self.position, hands=tuple(hands))
        return replace(self, dealt=tuple(dealt), position=position)

    def after_turn(self, action: int) -> Record:
        """The record after a turn. ValueError if the action is not legal."""
        position = state_after(self.position, action)
        return replace(self, actions=(*self.actions, action), position=position)


class BeastyBarState(pyspiel.State):
    """A state of the game. `BeastyBarGame.new_initial_state` makes the first one."""

    def __init__(self, game: BeastyBarGame) -> None:
        super().__init__(game)
        self._scoring = game.scoring
        self._record = Record()

    @property
    def record(self) -> Record:
        return self._record

    def position(self) -> State:
        """The whole position for the functions of `bb_sim`, each deck in order of strength.

        Raises:
            ValueError: the hands are not dealt yet.
        """
        record = self._record
        if not record.hands_dealt:
            raise ValueError("there is no position before the hands are dealt")
        decks = tuple(
            tuple(Card(player, SPECIES[species]) for species in record.undealt(player))
            for player in range(NUM_PLAYERS)
        )
        return replace(record.position, decks=decks)

    def current_player(self) -> int:
        if self._record.receiver is not None:
            return pyspiel.PlayerId.CHANCE
        return pyspiel.PlayerId.TERMINAL if self.is_terminal() else self._record.position.to_move

    def is_terminal(self) -> bool:
        return len(self._record.actions) == NUM_PLIES

    def returns(self) -> list[float]:
        """Each player's return: +1 for a win, -1 for a loss, 0 for a draw or before the end."""
        first = winner(self._record.position, self._scoring) if self.is_terminal() else None
        return [0.0] * NUM_PLAYERS if first is None else [1.0 - 2 * first, 2.0 * first - 1]

    def chance_outcomes(self) -> list[tuple[int, float]]:
        """The species that may be dealt, equally probable; empty if this is no chance node."""
        player = self._record.receiver
        outcomes = [] if player is None else self._record.undealt(player)
        return [(species, 1 / len(outcomes)) for species in outcomes]

    def _legal_actions(self, player: int) -> list[int]:
        return legal_action_ids(self._record.position) if player == self.current_player() else []

    def _apply_action(self, action: int) -> None:
        receiver = self._record.receiver
        if receiver is not None:
            self._record = self._record.after_deal(receiver, action)
        else:
            action = checked_int("an action", action, 0, NUM_ACTIONS - 1)
            self._record = self._record.after_turn(action)

    def _action_to_string(self, player: int, action: int) -> str:
        if player == pyspiel.PlayerId.CHANCE:
            return f"deal {SPECIES[action]}"
        return str(ACTIONS[action])

    def resample_from_infostate(
        self, player_id: int, probability_sampler: Callable[[], float]
    ) -> BeastyBarState:
        """A random state that the player cannot tell from this one.

        The opponent's cards are drawn anew, uniformly over the deals that allow the opponent's
        plays: each card had been dealt before it was played.

        Args:
            player_id: 0 or 1.
            probability_sampler: uniform over [0, 1).
        """
        player = checked_int("player_id", player_id, 0, NUM_PLAYERS - 1)
        record = self._record
        dealt = list(map(list, record.dealt))
        dealt[1 - player] = _redealt(
            [PLAYED_SPECIES[action] for action in record.actions[1 - player :: NUM_PLAYERS]],
            len(record.dealt[1 - player]),
            probability_sampler,
        )
        cards = list(map(iter, dealt))
        sampled: BeastyBarState = self.get_game().new_initial_state()
        for past in self.full_history():
            receiver = sampled.record.receiver
            sampled.apply_action(past.action if receiver is None else next(cards[receiver]))
        return sampled

    def __str__(self) -> str:
        """Everything, hidden cards included."""
        record = self._record
        lines = [f"player {player} was dealt {_words(d)}" for player, d in enumerate(record.dealt)]
        if record.hands_dealt:
            lines.append(render(self.position()))
        return "\n".join(lines)


def _redealt(played: list[int], num_dealt: int, sample: Callable[[], float]) -> list[int]:
    """An order, uniform among the possible ones, in which species were dealt.

    Card i of the order is in the hand from the start for i < 4, else for turn i - 3 and later. Each
    played card in turn takes one of the free places before its turn; the number of those does not
    depend on the places taken, hence uniform. The rest is any cards that were not played.
    """

    def take(items: list[int]) -> int:
        return items.pop(min(int(sample() * len(items)), len(items) - 1))

    order = [-1] * num_dealt
    free: list[int] = []
    added = 0
    for turn, species in enumerate(played):
        reachable = min(HAND_SIZE + turn, num_dealt)
        free += range(added, reachable)
        added = reachable
        order[take(free)] = species
    unplayed = [species for species in range(NUM_SPECIES) if species not in played]
    return [take(unplayed) if species < 0 else species for species in order]


class BeastyBarObserver:
    """The observation of a player as a float32 vector, its named parts and a string.

    Private parts: `player` [2]; with perfect recall `dealt` [12] (the first hand) and `drawn`
    [8, 12] (one row for each card, in order), else `hand` [12].
    Public parts: with perfect recall `actions` [24, 33] (one row for each turn), else `queue`
    [4, 2, 12] (place from the gate, owner, species), `bar` [2, 12], `thats_it` [2, 12] and `turn`
    [25].

    Attributes:
        tensor: zeros and ones, float32 [902] with perfect recall and [183] without.
        dict: the parts by name, as views of `tensor`.

    Raises:
        ValueError: there are parameters, or the type has both players' private cards.
    """

    def __init__(
        self, iig_obs_type: pyspiel.IIGObservationType, params: dict[str, Any] | None = None
    ) -> None:
        if params:
            raise ValueError(f"observations have no parameters, and these are given: {params}")
        if iig_obs_type.private_info == pyspiel.PrivateInfoType.ALL_PLAYERS:
            raise ValueError("there is no observation of both players' private cards")
        private = iig_obs_type.private_info == pyspiel.PrivateInfoType.SINGLE_PLAYER
        shapes: dict[str, tuple[int, ...]] = {}
        if private:
            shapes["player"] = (NUM_PLAYERS,)
        if private and iig_obs_type.perfect_recall:
            shapes |= {"dealt": (NUM_SPECIES,), "drawn": (DECK_SIZE, NUM_SPECIES)}
        elif private:
            shapes["hand"] = (NUM_SPECIES,)
        if iig_obs_type.public_info and iig_obs_type.perfect_recall:
            shapes["actions"] = (NUM_PLIES, NUM_ACTIONS)
        elif iig_obs_type.public_info:
            shapes |= {
                "queue": (QUEUE_SIZE, NUM_PLAYERS, NUM_SPECIES),
                "bar": (NUM_PLAYERS, NUM_SPECIES),
                "thats_it": (NUM_PLAYERS, NUM_SPECIES),
                "turn": (NUM_PLIES + 1,),
            }
        sizes = [int(np.prod(shape)) for shape in shapes.values()]
        self.tensor = np.zeros(sum(sizes), np.float32)
        ends = np.cumsum(sizes)
        self.dict: dict[str, NDArray[np.float32]] = {
            name: self.tensor[end - size : end].reshape(shape)
            for (name, shape), size, end in zip(shapes.items(), sizes, ends, strict=True)
        }

    def set_from(self, state: BeastyBarState, player: int) -> None:
        """Writes a player's observation of a state into `tensor`."""
        record = state.record
        self.tensor.fill(0)
        for name, part in self.dict.items():
            match name:
                case "player":
                    part[player] = 1
                case "dealt":
                    part[list(record.dealt[player][:HAND_SIZE])] = 1
                case "drawn":
                    drawn = record.dealt[player][HAND_SIZE:]
                    part[range(len(drawn)), drawn] = 1
                case "actions":
                    part[range(len(record.actions)), record.actions] = 1
                case "hand":
                    for card in record.position.hands[player]:
                        part[card.strength - 1] = 1
                case "queue":
                    for place, card in enumerate(record.position.queue):
                        part[place, card.owner, card.strength - 1] = 1
                case "turn":
                    part[record.position.turn] = 1
                case _:
                    for card in getattr(record.position, name):
                        part[card.owner, card.strength - 1] = 1

    def string_from(self, state: BeastyBarState, player: int) -> str:
        """A player's observation of a state in words, which says as much as the tensor."""
        record, position = state.record, state.record.position
        words = {
            "player": lambda: str(player),
            "dealt": lambda: _words(sorted(record.dealt[player][:HAND_SIZE])),
            "drawn": lambda: _words(record.dealt[player][HAND_SIZE:]),
            "actions": lambda: ", ".join(str(ACTIONS[action]) for action in record.actions),
            "hand": lambda: _words(card.strength - 1 for card in position.hands[player]),
            "queue": lambda: " ".join(map(str, position.queue)),
            "bar": lambda: _sorted_cards(position.bar),
            "thats_it": lambda: _sorted_cards(position.thats_it),
            "turn": lambda: str(position.turn),
        }
        return "; ".join(f"{name}: {words[name]()}" for name in self.dict)


def _words(species: Iterable[int]) -> str:
    return " ".join(SPECIES[number] for number in species)


def _sorted_cards(cards: Iterable[Card]) -> str:
    return " ".join(map(str, sorted(cards, key=lambda card: (card.owner, card.strength))))


pyspiel.register_game(GAME_TYPE, BeastyBarGame)
