"""What each animal does, in the few words that a card has room for; docs/rules.md says it all."""

RULES = {
    "skunk": "Drives the two strongest species in the queue away. Skunks do not count.",
    "parrot": "Sends one other animal of your choice to THAT’S IT.",
    "kangaroo": "Jumps over the last one or two animals, as you choose.",
    "monkey": "Alone, nothing. Two or more chase hippos and crocodiles away and go to the front.",
    "chameleon": "Does what another animal in the queue does, with its strength, for this turn.",
    "seal": "Reverses the queue.",
    "zebra": "Lets no hippo pass, and no crocodile eats it or passes it.",
    "giraffe": "Jumps over the one animal ahead if it is weaker. Again every turn.",
    "snake": "Sorts the queue by strength, the strongest at the gate.",
    "crocodile": "Eats weaker animals ahead; stops at a zebra or an equal or stronger one. "
    "Again every turn.",
    "hippo": "Pushes past weaker animals; stops behind a zebra or an equal or stronger one. "
    "Again every turn.",
    "lion": "Chases monkeys away and goes to the front. A second lion goes to THAT’S IT.",
}
