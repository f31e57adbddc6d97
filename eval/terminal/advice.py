"""What the engine says, in a terminal: hints while playing and the review of a game."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from bb_sim import Action
from bb_sim.rules.state import Cards
from eval.analysis.engine import DEFAULT_SAMPLES, Engine
from eval.analysis.notation import move_text
from eval.analysis.record import GameRecord
from eval.analysis.results import ActionAnalysis, Analysis
from eval.analysis.review import review_game
from eval.analysis.review_text import moves_text, players_text
from eval.terminal.screen import Screen
from eval.terminal.words import move_words

# A 95 % interval in standard errors.
_INTERVAL = 1.96
# Models that the opponent is less likely to be are not named. At the beginning all of them are.
_LEAST_SHARE = 0.2


@dataclass(frozen=True)
class Adviser:
    """An engine and how long it may think.

    Attributes:
      engine: judges positions.
      samples: worlds for a hint and for a decision of a review; None is the engine's default.
      milliseconds: time for a hint instead.
    """

    engine: Engine
    samples: int | None = None
    milliseconds: float | None = None

    def hint(self, record: GameRecord) -> Analysis:
        """The analysis of a game's last position, for the player to move.

        Raises:
          AnalysisError: the engine cannot judge it.
        """
        return self.engine.analyse(record, samples=self.samples, milliseconds=self.milliseconds)

    def show_review(self, screen: Screen, record: GameRecord, seat: int) -> None:
        """Reviews a game, for the player of a seat, and shows what it found.

        Raises:
          AnalysisError: the engine cannot judge it.
        """
        samples = DEFAULT_SAMPLES if self.samples is None else self.samples
        with screen.progress("Reviewing the game") as on_progress:
            review = review_game(self.engine, record, samples=samples, on_progress=on_progress)
        screen.title("Review")
        screen.say("Each move is judged by what its player could know then.")
        screen.say("lost: % of winning behind the best move. luck: % that cards and replies gave.")
        names = ("you", "they") if seat == 0 else ("they", "you")
        screen.verbatim(moves_text(review, screen.width, names=names, first_turn=1))
        for line in players_text(review, names).splitlines():
            screen.say(line, hang=4)


def show_hint(
    screen: Screen, analysis: Analysis, choices: Sequence[Action], queue: Cards, seat: int
) -> None:
    """Shows what each choice is worth, the best first, and what the opponent may hold.

    Args:
      screen: where to.
      analysis: of the position.
      choices: the choices as they are numbered.
      queue: the queue.
      seat: who chooses.
    """
    numbers = {move_text(action): number for number, action in enumerate(choices, 1)}
    screen.say("Chance to win in % (95 % interval), expected margin, choice:")
    for entry in analysis.actions:
        number = numbers[entry.action]
        line = Text(f"{_chance(entry):15} {entry.margin.mean:+5.1f}  {number:2} ")
        line.append(move_words(choices[number - 1], queue, seat))
        if entry.action == analysis.best:
            line.append(" (best)", "bold green")
        screen.say(line, indent=2, hang=27)
    held = sorted(analysis.opponent.hand.items(), key=lambda item: -item[1])
    cards = ", ".join(f"{species} {100 * share:.0f} %" for species, share in held)
    if cards:
        screen.say(f"They hold: {cards}", hang=2)
    models = sorted(analysis.opponent.models.items(), key=lambda item: -item[1])
    likely = [f"{name} {100 * share:.0f} %" for name, share in models if share >= _LEAST_SHARE]
    if likely:
        screen.say(f"They play like: {', '.join(likely)}", hang=2)
    screen.say(_basis(analysis))


def _chance(entry: ActionAnalysis) -> str:
    mean, error = entry.win.mean, entry.win.error
    text = f"{100 * mean:5.1f}"
    if not error:
        return f"{text} exact" if entry.exact else text
    low, high = max(0.0, mean - _INTERVAL * error), min(1.0, mean + _INTERVAL * error)
    return f"{text} ({100 * low:.0f}-{100 * high:.0f})"


def _basis(analysis: Analysis) -> str:
    if analysis.exact:
        how = "searched to the end of the game"
    elif analysis.samples:
        how = f"from {analysis.samples} sampled worlds"
    else:
        how = "the network's own judgement"
    return f"Judged by what you have seen, {how}."
