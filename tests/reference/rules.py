"""The rules of Beasty Bar in plain Python, one function an animal, to check the simulator.

Lists and loops, no arrays and no bit masks, to be read beside the rules of the game.
A move is a pair (species, params); `MOVES[i]` is the move with action id i.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

# species: (strength, points)
ANIMALS = {
    "skunk": (1, 4),
    "parrot": (2, 4),
    "kangaroo": (3, 4),
    "monkey": (4, 3),
    "chameleon": (5, 3),
    "seal": (6, 2),
    "zebra": (7, 4),
    "giraffe": (8, 3),
    "snake": (9, 2),
    "crocodile": (10, 3),
    "hippo": (11, 2),
    "lion": (12, 2),
}
RECURRING = ("hippo", "crocodile", "giraffe")

Params = tuple[str | int, ...]
Move = tuple[str, Params]


def all_moves() -> list[Move]:
    """The 33 moves in the order of their action ids."""
    plain = [name for name in ANIMALS if name not in ("kangaroo", "parrot", "chameleon")]
    moves: list[Move] = [(name, ()) for name in plain]
    moves += [("kangaroo", ()), ("kangaroo", (1,)), ("kangaroo", (2,))]
    moves += [("parrot", ())] + [("parrot", (target,)) for target in range(4)]
    moves += [("chameleon", ())] + [("chameleon", (name,)) for name in plain]
    moves += [("chameleon", ("kangaroo", hop)) for hop in (1, 2)]
    moves += [("chameleon", ("parrot", target)) for target in range(4)]
    return moves


MOVES = all_moves()


class Card(NamedTuple):
    """One animal of one player."""

    owner: int
    species: str


@dataclass
class Position:
    """The whole table; `hands` unordered, `decks[p][0]` drawn next, `queue[0]` at the gate."""

    hands: list[list[str]]
    decks: list[list[str]]
    queue: list[Card]
    bar: list[Card]
    thats_it: list[Card]
    to_move: int
    turn: int

    @property
    def num_players(self) -> int:
        return len(self.hands)

    def copy(self) -> "Position":
        return Position(
            [list(hand) for hand in self.hands],
            [list(deck) for deck in self.decks],
            list(self.queue),
            list(self.bar),
            list(self.thats_it),
            self.to_move,
            self.turn,
        )


def strength(species: str) -> int:
    return ANIMALS[species][0]


def points(species: str) -> int:
    return ANIMALS[species][1]


def deal(random: Random, num_players: int = 2, first_player: int = 0) -> Position:
    """A fresh game: every player's 12 animals shuffled, 4 in the hand and 8 in the deck."""
    hands, decks = [], []
    for _ in range(num_players):
        animals = list(ANIMALS)
        random.shuffle(animals)
        hands.append(animals[:4])
        decks.append(animals[4:])
    return Position(hands, decks, [], [], [], first_player, 0)


def random_position(random: Random, num_players: int = 2) -> Position:
    """A position between turns whose played cards lie anywhere, reachable by play or not.

    They crowd the queue with neighbours that random play seldom brings together.
    """
    position = deal(random, num_players, first_player=random.randrange(num_players))
    position.turn = random.randrange(12 * num_players)
    played = []
    for _ in range(position.turn):
        owner = position.to_move
        hand = position.hands[owner]
        played.append(Card(owner, hand.pop(random.randrange(len(hand)))))
        draw_card(position, owner)
        position.to_move = next_player(position)
    random.shuffle(played)
    queue_length = random.choice([0, 1, 2, 3, 3, 4, 4, 4, 4])
    position.queue = played[:queue_length]
    for card in played[queue_length:]:
        random.choice([position.bar, position.thats_it]).append(card)
    return position


# Legal moves


def choices(species: str, queue: list[Card]) -> list[Params]:
    """What the animal's player chooses among; one empty choice where there is nothing."""
    found: list[Params] = []
    if species == "kangaroo":
        found = [(hop,) for hop in (1, 2) if hop <= len(queue)]
    elif species == "parrot":
        found = [(target,) for target in range(len(queue))]
    elif species == "chameleon":
        for copied in {card.species for card in queue} - {"chameleon"}:
            found += [(copied, *params) for params in choices(copied, queue)]
    return found or [()]


def legal_moves(position: Position) -> list[Move]:
    """The moves of the player to move, in the order of their action ids."""
    moves = [
        (species, params)
        for species in position.hands[position.to_move]
        for params in choices(species, position.queue)
    ]
    return sorted(moves, key=MOVES.index)


# The animals' actions. `me` is the acting card; in the queue, whatever acts counts as `species`.


def lion(position: Position, me: Card, params: Params) -> None:
    others = [card for card in position.queue if card != me]
    if any(card.species == "lion" for card in others):
        send_to_thats_it(position, [me])
    else:
        send_to_thats_it(position, [card for card in others if card.species == "monkey"])
        position.queue.remove(me)
        position.queue.insert(0, me)


def hippo(position: Position, me: Card, params: Params) -> None:
    while True:
        place = position.queue.index(me)
        if place == 0:
            return
        ahead = position.queue[place - 1].species
        if ahead == "zebra" or strength(ahead) >= strength("hippo"):
            return
        swap(position.queue, place - 1, place)


def crocodile(position: Position, me: Card, params: Params) -> None:
    while True:
        place = position.queue.index(me)
        if place == 0:
            return
        ahead = position.queue[place - 1]
        if ahead.species == "zebra" or strength(ahead.species) >= strength("crocodile"):
            return
        send_to_thats_it(position, [ahead])


def snake(position: Position, me: Card, params: Params) -> None:
    def sorting_strength(card: Card) -> int:
        return strength("snake") if card == me else strength(card.species)

    position.queue.sort(key=sorting_strength, reverse=True)  # stable: equals keep their order


def giraffe(position: Position, me: Card, params: Params) -> None:
    place = position.queue.index(me)
    if place > 0 and strength(position.queue[place - 1].species) < strength("giraffe"):
        swap(position.queue, place - 1, place)


def zebra(position: Position, me: Card, params: Params) -> None:
    pass


def seal(position: Position, me: Card, params: Params) -> None:
    position.queue.reverse()


def monkey(position: Position, me: Card, params: Params) -> None:
    others = [card for card in position.queue if card != me]
    monkeys = [card for card in others if card.species == "monkey"]
    if not monkeys:
        return
    chased = [card for card in others if card.species in ("hippo", "crocodile")]
    send_to_thats_it(position, chased)
    rest = [card for card in others if card not in monkeys and card not in chased]
    position.queue[:] = [me, *monkeys[::-1], *rest]


def kangaroo(position: Position, me: Card, params: Params) -> None:
    if params:
        hop = params[0]
        assert isinstance(hop, int)
        place = position.queue.index(me)
        position.queue.remove(me)
        position.queue.insert(place - hop, me)


def parrot(position: Position, me: Card, params: Params) -> None:
    if params:
        target = params[0]
        assert isinstance(target, int)
        send_to_thats_it(position, [position.queue[target]])


def skunk(position: Position, me: Card, params: Params) -> None:
    # A chameleon that acts as a skunk counts as one, and so is spared.
    others = [card for card in position.queue if card.species != "skunk" and card != me]
    strongest_two = sorted({card.species for card in others}, key=strength)[-2:]
    send_to_thats_it(position, [card for card in others if card.species in strongest_two])


def chameleon(position: Position, me: Card, params: Params) -> None:
    if params:
        copied = params[0]
        assert isinstance(copied, str)
        ACTIONS[copied](position, me, params[1:])


ACTIONS: dict[str, Callable[[Position, Card, Params], None]] = {
    "skunk": skunk,
    "parrot": parrot,
    "kangaroo": kangaroo,
    "monkey": monkey,
    "chameleon": chameleon,
    "seal": seal,
    "zebra": zebra,
    "giraffe": giraffe,
    "snake": snake,
    "crocodile": crocodile,
    "hippo": hippo,
    "lion": lion,
}


def send_to_thats_it(position: Position, cards: list[Card]) -> None:
    """Those who go together arrive in the order given, which is that of the queue."""
    for card in cards:
        position.queue.remove(card)
        position.thats_it.append(card)


def swap(queue: list[Card], first: int, second: int) -> None:
    queue[first], queue[second] = queue[second], queue[first]


# One turn


def play(position: Position, move: Move) -> Position:
    """The position after the whole turn; the one given is left as it was."""
    after = position.copy()
    player = after.to_move
    species, params = move
    played = Card(player, species)
    after.hands[player].remove(species)
    after.queue.append(played)
    ACTIONS[species](after, played, params)
    recurring_actions(after, played)
    five_animal_check(after)
    draw_card(after, player)
    after.turn += 1
    after.to_move = next_player(after)
    return after


def recurring_actions(position: Position, played: Card) -> None:
    acting = [card for card in position.queue if card.species in RECURRING and card != played]
    for card in acting:
        if card in position.queue:
            ACTIONS[card.species](position, card, ())


def five_animal_check(position: Position) -> None:
    if len(position.queue) == 5:
        first, second, third, fourth, last = position.queue
        position.bar += [first, second]
        position.thats_it.append(last)
        position.queue[:] = [third, fourth]


def draw_card(position: Position, player: int) -> None:
    if position.decks[player]:
        position.hands[player].append(position.decks[player].pop(0))


def next_player(position: Position) -> int:
    """The next player clockwise who has a card; plainly the next one when no player has."""
    for step in range(1, position.num_players + 1):
        player = (position.to_move + step) % position.num_players
        if position.hands[player]:
            return player
    return (position.to_move + 1) % position.num_players


# The end


def is_terminal(position: Position) -> bool:
    return not any(position.hands) and not any(position.decks)


def is_decided(position: Position) -> bool:
    piles = position.hands + position.decks
    return len(position.queue) + sum(len(pile) for pile in piles) < 5


def bar_points(position: Position, player: int) -> int:
    return sum(points(card.species) for card in position.bar if card.owner == player)


def bar_animals(position: Position, player: int) -> int:
    return len([card for card in position.bar if card.owner == player])


def bar_strength(position: Position, player: int) -> int:
    return sum(strength(card.species) for card in position.bar if card.owner == player)


def rank_key(position: Position, player: int, scoring: str) -> tuple[int, int]:
    """What players are ranked by, the greater the better."""
    if scoring == "points":
        return bar_points(position, player), 0
    return bar_animals(position, player), -bar_strength(position, player)


def place(position: Position, player: int, scoring: str) -> int:
    """1 for the winner; equal players share the place."""
    mine = rank_key(position, player, scoring)
    others = range(position.num_players)
    return 1 + sum(rank_key(position, other, scoring) > mine for other in others)


def outcome(position: Position, player: int, scoring: str) -> int:
    """Two players: +1 for a win, 0 for a draw, -1 for a loss."""
    mine = rank_key(position, player, scoring)
    theirs = rank_key(position, 1 - player, scoring)
    return (mine > theirs) - (mine < theirs)
