"""A person's game in a terminal, from the first question to the review."""

from __future__ import annotations

import re
from enum import Enum

from rich.text import Text

from bb_jax.errors import UserError
from bb_sim import Action, is_decided, legal_actions, scores, winner
from eval.analysis.notation import game_text, move_text, parse_move, parse_species
from eval.games.animal_rules import RULES
from eval.games.game import Game
from eval.games.opponents import Chooser
from eval.terminal.advice import Adviser, show_hint
from eval.terminal.board import count_words, show_board, show_choices
from eval.terminal.prompt import Prompt
from eval.terminal.screen import Screen
from eval.terminal.words import animal, style_of, told_steps

_HELP = (
    ("1, 2, ...", "play the choice of that number"),
    ("lion, parrot@2", "play a move of the notation; names may be shortened"),
    ("h, hint", "what each choice is worth, and what they may hold"),
    ("u, undo", "take back your last move and their answer"),
    ("r, rules", "what every animal does; r lion: what one does"),
    ("Enter", "show the position again"),
    ("q, quit", "end the game"),
)


class _After(Enum):
    """What follows an answer."""

    ASK_AGAIN = "ask again"
    GO_ON = "go on"
    END = "end"


class Session:
    """One game, its opponent, and the person at the terminal."""

    def __init__(
        self, game: Game, choose: Chooser, adviser: Adviser, screen: Screen, prompt: Prompt
    ) -> None:
        self._game, self._choose, self._adviser = game, choose, adviser
        self._screen, self._prompt = screen, prompt

    @property
    def is_finished(self) -> bool:
        """Whether the result is final."""
        return is_decided(self._game.state)

    def play(self) -> None:
        """Plays until the result is final, the person ends it, or the input is at its end.

        Raises:
          UserError: the opponent cannot move.
        """
        self._greet()
        while not self.is_finished and not self._screen.lost:
            if self._game.is_opponents_turn:
                self._opponents_turn()
            elif not self._persons_turn():
                return

    def conclude(self) -> None:
        """Shows the result and the review of a finished game, and the game as text."""
        if self.is_finished:
            self._show_result()
            try:
                self._adviser.show_review(self._screen, self._game.record, self._game.seat)
            except UserError as error:
                self._screen.say(f"There is no review: {error}.")
        if self._game.moves:
            self._screen.title("The game")
            self._screen.verbatim(self.text)

    @property
    def text(self) -> str:
        """The game in the notation: all cards once it is finished, else what the person saw."""
        return game_text(self._game.record if self.is_finished else self._game.shown_record)

    # --- Turns ----------------------------------------------------------------------------------

    def _greet(self) -> None:
        game = self._game
        colour, when = ("Blue", "first") if game.seat == 0 else ("Orange", "second")
        line = Text("You are ").append(colour, style_of(game.seat))
        self._screen.say(line.append(f" and move {when}. ? shows help."))
        opponent = game.opponent
        rating = "" if opponent.elo is None else f", Elo {opponent.elo}"
        self._screen.say(f"You play against {opponent.label} ({opponent.how}{rating}).", hang=2)

    def _opponents_turn(self) -> None:
        game = self._game
        self._play(self._choose(game.seed, list(game.states), list(game.moves)))

    def _persons_turn(self) -> bool:
        """Asks until the person has moved or taken back; False if the game ends here."""
        self._show_position()
        while True:
            answer = self._prompt.ask(f"Your move (1-{len(self._choices)}, h, u, r, q, ?):")
            if answer is None:
                self._screen.say("The input has ended, and the game with it.")
                return False
            after = self._take(answer)
            if after is not _After.ASK_AGAIN:
                return after is _After.GO_ON

    def _play(self, action: Action) -> None:
        """Plays a move and tells what it does."""
        game, seat = self._game, self._game.seat
        before = game.state
        game.play(action)
        mine = before.to_move == seat
        line = Text("You play " if mine else f"{game.opponent.label} plays ")
        line.append(action.species, style_of(before.to_move)).append(".")
        self._screen.say()
        self._screen.say(line, hang=2)
        for step in told_steps(before, action, seat):
            self._screen.say(step, indent=2, hang=4)
        if mine:
            for card in set(game.state.hands[seat]) - set(before.hands[seat]):
                self._screen.say(Text("You draw ").append(animal(card, seat)).append("."), indent=2)

    # --- Answers --------------------------------------------------------------------------------

    @property
    def _choices(self) -> list[Action]:
        return list(legal_actions(self._game.state))

    def _take(self, answer: str) -> _After:
        word, _, rest = answer.lower().partition(" ")
        try:
            if word in ("q", "quit", "exit"):
                return _After.END
            if word in ("u", "undo"):
                self._game.undo()
                self._screen.say("Your last move is taken back.")
                return _After.GO_ON
            if word in ("h", "hint"):
                self._show_hint()
            elif word in ("r", "rules"):
                self._show_rules(rest)
            elif word in ("?", "help"):
                self._show_help()
            elif not word:
                self._show_position()
            else:
                self._play(self._action_of(answer.lower()))
                return _After.GO_ON
        except UserError as error:
            self._screen.say(f"{str(error)[:1].upper()}{str(error)[1:]}. (? shows help)")
        return _After.ASK_AGAIN

    def _action_of(self, answer: str) -> Action:
        """The legal action that an answer names.

        Raises:
          UserError: it names none, or more than one.
        """
        choices = self._choices
        if re.fullmatch(r"-?[0-9]+", answer):
            if len(answer) > 3 or not 1 <= int(answer) <= len(choices):
                raise UserError(f"there are the choices 1 to {len(choices)}")
            return choices[int(answer) - 1]
        move = parse_move(answer)
        if move in choices:
            return move
        near = [
            (number, choice)
            for number, choice in enumerate(choices, 1)
            if choice.species == move.species
        ]
        if not near:
            raise UserError(f"you hold no {move.species}")
        if len(near) == 1 and not move.params:
            return near[0][1]
        ways = ", ".join(f"{number} is {move_text(choice)}" for number, choice in near)
        raise UserError(f"{move_text(move)} is none of your choices: {ways}")

    def _show_position(self) -> None:
        game = self._game
        seen = game.state.seen_by(game.seat)
        show_board(self._screen, seen, game.seat, game.scoring, game.opponent.label)
        show_choices(self._screen, seen, self._choices, game.seat)

    def _show_hint(self) -> None:
        game = self._game
        analysis = self._adviser.hint(game.record.seen_by(game.seat))
        show_hint(self._screen, analysis, self._choices, game.state.queue, game.seat)

    def _show_rules(self, names: str) -> None:
        species = [parse_species(name) for name in names.split()] or list(RULES)
        for name in dict.fromkeys(species):
            self._screen.say(
                Text().append(name.ljust(10), "bold").append(RULES[name]), indent=2, hang=12
            )

    def _show_help(self) -> None:
        for keys, what in _HELP:
            self._screen.say(f"{keys:15} {what}", indent=2, hang=18)

    # --- The end --------------------------------------------------------------------------------

    def _show_result(self) -> None:
        game, screen = self._game, self._screen
        show_board(screen, game.state, game.seat, game.scoring, game.opponent.label)
        if not game.is_over:
            screen.say("Too few cards are left for the gate to open again: the result is final.")
        counts = scores(game.state, game.scoring)
        mine, theirs = counts[game.seat], counts[1 - game.seat]
        won = winner(game.state, game.scoring)
        if won is None:
            told = f"A draw: both have {count_words(mine, game.scoring)}."
        else:
            who = "You win" if won == game.seat else f"{game.opponent.label} wins"
            told = f"{who}: you have {count_words(mine, game.scoring)}, they have {theirs}."
            if mine == theirs:
                told += " The lower total strength decides."
        screen.say(Text(told, "bold"))
