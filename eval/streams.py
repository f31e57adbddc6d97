"""Which matches share their deals."""


def pair_stream(player: str, opponent: str) -> str:
    """The stream of the deals of a pair: its own, whoever is named first.

    Ratings take the results of different pairs for independent, so these must not share deals:
    whoever is lucky on a deal is so against everybody.
    """
    return "\n".join(sorted((player, opponent)))
