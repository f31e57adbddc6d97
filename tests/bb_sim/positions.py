"""Two-player positions in words, from the side of player 0, who is to move."""

from bb_sim import Action, Card, State


def cards(text: str) -> tuple[Card, ...]:
    """Cards written as "my lion, their snake"."""
    words = [card.split() for card in text.split(", ")] if text else []
    return tuple(Card(("my", "their").index(whose), species) for whose, species in words)


def position(
    hand: str, queue: str = "", *, deck: str = "", bar: str = "", thats_it: str = ""
) -> State:
    """Species in hand and deck, cards as in `cards` elsewhere; player 1 holds nothing."""
    return State(
        hands=(tuple(Card(0, species) for species in hand.split()), ()),
        decks=(tuple(Card(0, species) for species in deck.split()), ()),
        queue=cards(queue),
        bar=cards(bar),
        thats_it=cards(thats_it),
    )


def parsed(action: str) -> Action:
    """An Action written as "chameleon parrot 0"."""
    species, *params = action.split()
    return Action(species, tuple(int(word) if word.isdigit() else word for word in params))
