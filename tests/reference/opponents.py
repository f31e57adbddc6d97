"""The ten opponents' scores in plain Python, one function a bonus, to check the simulator."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.reference.rules import (
    RECURRING,
    Card,
    Move,
    Position,
    legal_moves,
    play,
    points,
    strength,
)

TIE = 1e-6
THREATS = ("lion", "hippo", "crocodile", "giraffe", "zebra")


class Turn(NamedTuple):
    """One move of player `me`: the positions around it and what was played."""

    before: Position
    after: Position
    me: int
    species: str
    params: tuple[str | int, ...]


def points_of(cards: list[Card], owner: int) -> int:
    return sum(points(card.species) for card in cards if card.owner == owner)


def count_of(cards: list[Card], owner: int) -> int:
    return sum(card.owner == owner for card in cards)


def gained(turn: Turn, owner: int) -> int:
    """Points newly in the bar."""
    return points_of(turn.after.bar, owner) - points_of(turn.before.bar, owner)


def lost(turn: Turn, owner: int) -> int:
    """Points newly on THAT'S IT."""
    return points_of(turn.after.thats_it, owner) - points_of(turn.before.thats_it, owner)


def cards_lost(turn: Turn, owner: int) -> int:
    return count_of(turn.after.thats_it, owner) - count_of(turn.before.thats_it, owner)


def target_of(turn: Turn) -> tuple[Card, int] | None:
    """The parrot's target and its index in the queue before the move."""
    if turn.species != "parrot" or not turn.params:
        return None
    index = turn.params[0]
    assert isinstance(index, int)
    return turn.before.queue[index], index


# Material


@dataclass(frozen=True)
class Weights:
    """Weights of the material score."""

    bar: float = 2.0
    front: float = 1.1
    back: float = 0.3
    thats_it: float = -0.5
    hand: float = 0.1
    species: dict[str, float] = field(default_factory=dict)


def material(position: Position, me: int, weights: Weights) -> float:
    def value(card: Card) -> float:
        return points(card.species) * weights.species.get(card.species, 1.0)

    def sign(card: Card) -> int:
        return 1 if card.owner == me else -1

    score = 0.0
    for card in position.bar:
        score += sign(card) * weights.bar * value(card)
    for index, card in enumerate(position.queue):
        f = 1 - index / len(position.queue)
        score += sign(card) * (weights.front * f + weights.back * (1 - f)) * value(card)
    for card in position.thats_it:
        score += sign(card) * weights.thats_it * value(card)
    for species in position.hands[me]:
        score += weights.hand * value(Card(me, species))
    return score


# Species bonuses of `heuristic`


def skunk_bonus(turn: Turn) -> float:
    if lost(turn, 1 - turn.me) >= 5:
        return 3.0
    if lost(turn, 1 - turn.me) >= 3:
        return 1.5
    if lost(turn, 1 - turn.me) == 0 and lost(turn, turn.me) > 0:
        return -2.0
    return 0.0


def parrot_bonus(turn: Turn) -> float:
    target = target_of(turn)
    if target is None:
        return 0.0
    card, _ = target
    return -0.5 * points(card.species) if card.owner == turn.me else 0.5 * points(card.species)


def lion_bonus(turn: Turn) -> float:
    return 2.0 if turn.after.queue[:1] == [Card(turn.me, "lion")] else 0.0


def monkey_bonus(turn: Turn) -> float:
    them = 1 - turn.me
    return 2.5 if cards_lost(turn, them) >= 1 and lost(turn, them) >= 4 else 0.0


def seal_bonus(turn: Turn) -> float:
    difference = gained(turn, turn.me) - gained(turn, 1 - turn.me)
    if difference > 0:
        return 1.5
    return -1.0 if difference < 0 else 0.0


def snake_bonus(turn: Turn) -> float:
    if count_of(turn.after.queue, turn.me) <= count_of(turn.before.queue, turn.me):
        return 0.0
    return 0.5 * points_of(turn.after.queue[:2], turn.me)


def zebra_bonus(turn: Turn) -> float:
    them = 1 - turn.me
    hunters = [Card(them, "hippo"), Card(them, "crocodile")]
    return 1.5 if any(card in hunters for card in turn.after.queue) else -0.5


def kangaroo_bonus(turn: Turn) -> float:
    return 1.0 if Card(turn.me, "kangaroo") in turn.after.queue[:2] else 0.0


def giraffe_bonus(turn: Turn) -> float:
    mine = Card(turn.me, "giraffe")
    if mine in turn.after.queue[:1]:
        return 1.5
    return 0.5 if mine in turn.after.queue[1:2] else 0.0


def crocodile_bonus(turn: Turn) -> float:
    them = 1 - turn.me
    return 0.3 * lost(turn, them) if cards_lost(turn, them) >= 1 else 0.0


def chameleon_bonus(turn: Turn) -> float:
    return 0.1 * strength(str(turn.params[0])) if turn.params else 0.0


SPECIES_BONUSES: dict[str, Callable[[Turn], float]] = {
    "skunk": skunk_bonus,
    "parrot": parrot_bonus,
    "lion": lion_bonus,
    "monkey": monkey_bonus,
    "seal": seal_bonus,
    "snake": snake_bonus,
    "zebra": zebra_bonus,
    "kangaroo": kangaroo_bonus,
    "giraffe": giraffe_bonus,
    "crocodile": crocodile_bonus,
    "chameleon": chameleon_bonus,
}


def heuristic(turn: Turn, weights: Weights) -> float:
    score = material(turn.after, turn.me, weights)
    if turn.species in SPECIES_BONUSES:
        score += SPECIES_BONUSES[turn.species](turn)
    return score


# Reactive bonuses of `online`


def opponent_has_played(turn: Turn, species: str) -> bool:
    before = turn.before
    return Card(1 - turn.me, species) in before.queue + before.bar + before.thats_it


def reactive_crocodile(turn: Turn) -> float:
    if any(card.species == "chameleon" for card in turn.before.queue):
        return 5.0
    return 0.0 if opponent_has_played(turn, "chameleon") else -1.0


def reactive_skunk(turn: Turn) -> float:
    kinds = {card.species for card in turn.before.queue} - {"skunk"}
    if len(kinds) < 2:
        return -1.5
    two_strongest = sorted(kinds, key=strength)[-2:]
    aimed_at = [card for card in turn.before.queue if card.species in two_strongest]
    net = points_of(aimed_at, 1 - turn.me) - points_of(aimed_at, turn.me)
    if net >= 4:
        return 4.0
    if net >= 2:
        return 2.0
    return -3.0 if net <= -2 else 0.0


def reactive_lion(turn: Turn) -> float:
    if Card(1 - turn.me, "lion") in turn.before.queue:
        return -5.0
    return 3.0 if opponent_has_played(turn, "lion") else -2.0


def reactive_parrot(turn: Turn) -> float:
    target = target_of(turn)
    if target is None:
        return 0.0
    card, index = target
    if card.owner == turn.me:
        return -0.5 * points(card.species)
    return 0.3 * points(card.species) + 2.0 * (1 - index / len(turn.before.queue))


REACTIVE_BONUSES: dict[str, Callable[[Turn], float]] = {
    "crocodile": reactive_crocodile,
    "skunk": reactive_skunk,
    "lion": reactive_lion,
    "parrot": reactive_parrot,
}


def online(turn: Turn) -> float:
    score = material(turn.after, turn.me, Weights())
    if turn.species in REACTIVE_BONUSES:
        score += REACTIVE_BONUSES[turn.species](turn)
    return score


# Outcome score


@dataclass(frozen=True)
class OutcomeWeights:
    """Weights of the outcome score, in the order of its terms."""

    bar_mine: float
    bar_theirs: float
    thats_it_mine: float
    thats_it_theirs: float
    queue_value: float
    front: float
    threats: float
    parrot_value: float
    skunk_multiplier: float
    combo: float
    early: float
    late: float


HAND_TUNED = OutcomeWeights(3.0, -2.0, -2.5, 2.0, 1.5, 2.0, 1.5, 0.4, 0.5, 15.0, 0.5, 0.3)
DISTILLED = OutcomeWeights(4.2, -2.5, -3.5, 2.8, 1.8, 2.5, 2.2, 0.6, 0.7, 18.0, 0.6, 0.4)


def queue_value(position: Position, me: int) -> float:
    position_weights = (0.53, 0.37, 0.25, 0.27, 0.10)
    return sum(
        points(card.species) * weight * (1 if card.owner == me else -0.6)
        for card, weight in zip(position.queue, position_weights, strict=False)
    )


def their_number(queue: list[Card], me: int, kinds: tuple[str, ...]) -> int:
    """How many animals of these species the opponent has in the queue."""
    return sum(card.owner != me and card.species in kinds for card in queue)


def common_terms(turn: Turn, weights: OutcomeWeights) -> float:
    me, them = turn.me, 1 - turn.me
    before, after = turn.before.queue, turn.after.queue
    threats_removed = max(0, their_number(before, me, THREATS) - their_number(after, me, THREATS))
    return (
        weights.bar_mine * gained(turn, me)
        + weights.bar_theirs * gained(turn, them)
        + weights.thats_it_mine * lost(turn, me)
        + weights.thats_it_theirs * lost(turn, them)
        + weights.queue_value * (queue_value(turn.after, me) - queue_value(turn.before, me))
        + weights.front * (count_of(after[:2], me) > 0)
        + weights.threats * threats_removed
    )


def outcome_parrot(turn: Turn, weights: OutcomeWeights) -> float:
    target = target_of(turn)
    if target is None:
        return 0.0
    card, index = target
    if card.owner == turn.me:
        return -0.8 * points(card.species)
    score = weights.parrot_value * points(card.species)
    if card.species in THREATS:
        score += 1.5
    if card.species in RECURRING:
        score += 1.0
    return score + 0.5 * (1 - index / len(turn.before.queue))


def outcome_skunk(turn: Turn, weights: OutcomeWeights) -> float:
    if turn.species != "skunk":
        return 0.0
    return weights.skunk_multiplier * (lost(turn, 1 - turn.me) - lost(turn, turn.me))


def outcome_monkey(turn: Turn, weights: OutcomeWeights) -> float:
    if turn.species != "monkey":
        return 0.0
    score = 0.0
    chased = ("hippo", "crocodile")
    before, after = turn.before.queue, turn.after.queue
    if their_number(after, turn.me, chased) < their_number(before, turn.me, chased):
        score += weights.combo
    if their_number(before, turn.me, ("monkey",)) > 0:
        score += 0.8 * weights.combo
    return score


def phase_of_the_game(turn: Turn, weights: OutcomeWeights) -> float:
    before = turn.before
    cards_played = len(before.queue) + len(before.bar) + len(before.thats_it)
    if cards_played <= 3 and turn.species in RECURRING:
        return weights.early
    if cards_played >= 8 and turn.species in ("parrot", "skunk", "crocodile"):
        return weights.late
    return 0.0


def outcome(turn: Turn, weights: OutcomeWeights) -> float:
    return (
        common_terms(turn, weights)
        + outcome_parrot(turn, weights)
        + outcome_skunk(turn, weights)
        + outcome_monkey(turn, weights)
        + phase_of_the_game(turn, weights)
    )


# `noisy` adds noise to these; the constants of `aggressive` and `defensive` are left out.
SCORES: dict[str, Callable[[Turn], float]] = {
    "random": lambda turn: 0.0,
    "heuristic": lambda turn: heuristic(turn, Weights()),
    "aggressive": lambda turn: heuristic(turn, Weights(bar=3.0)),
    "defensive": lambda turn: heuristic(turn, Weights(bar=1.0)),
    "queue": lambda turn: heuristic(turn, Weights(front=2.0)),
    "skunk": lambda turn: heuristic(turn, Weights(species={"skunk": 2.0})),
    "noisy": lambda turn: heuristic(turn, Weights()),
    "online": online,
    "outcome_heuristic": lambda turn: outcome(turn, HAND_TUNED),
    "distilled_outcome": lambda turn: outcome(turn, DISTILLED),
}


def opponent_scores(position: Position, name: str) -> dict[Move, float]:
    """The score of every legal move for the named opponent, without noise."""
    return {move: SCORES[name](turn) for move, turn in turns(position).items()}


def turns(position: Position) -> dict[Move, Turn]:
    """Every legal move with the positions around it."""
    me = position.to_move
    return {
        (species, params): Turn(position, play(position, (species, params)), me, species, params)
        for species, params in legal_moves(position)
    }


def tied_best(scores: dict[Move, float]) -> set[Move]:
    """The moves that the opponent draws among: those within 1e-6 of the best score."""
    best = max(scores.values())
    return {move for move, score in scores.items() if score >= best - TIE}
