"""What a run shows, on a terminal and elsewhere."""

import io
import re

import pytest

from train.display import Display


class Clock:
    """A clock that goes on only when told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def make(total=100, start=0, **options):
    file, clock = io.StringIO(), Clock()
    return Display(total, start, "quickstart", file=file, clock=clock, **options), file, clock


def evaluation(*rates):
    return {f"eval/opponent{i}/win_rate": rate for i, rate in enumerate(rates)}


def test_plain_lines_have_progress_metrics_and_time_left():
    display, file, clock = make(total=10)
    with display:
        clock.now += 30
        metrics = {"train/entropy": 1.25, "train/kl": 0.0123, "time/games_per_second": 4321.0}
        display.update({"iteration": 1, **metrics})
    assert file.getvalue() == (
        "iteration 1/10, entropy 1.25, kl 0.0123, 4,321 games/s, elapsed 0:30, left 4:30\n"
    )


def test_plain_lines_come_at_most_every_two_seconds():
    display, file, clock = make()
    with display:
        for iteration in range(1, 41):
            clock.now += 0.5
            display.update({"iteration": iteration})
    shown = [int(n) for n in re.findall(r"iteration (\d+)/", file.getvalue())]
    assert shown == list(range(1, 41, 4))


def test_evaluations_and_the_last_iteration_are_always_shown():
    display, file, _ = make(total=4)
    with display:
        display.update({"iteration": 1})
        display.update({"iteration": 2, **evaluation(0.931, 0.5)})
        display.update({"iteration": 3})
        display.update({"iteration": 4})
    lines = file.getvalue().splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "iteration 1/4",
        "iteration 2/4",
        "iteration 2: win rates in percent: opponent0 93.1",
        "iteration 4/4",
    ]
    assert lines[2].endswith("opponent1 50.0")


def test_time_left_of_a_resumed_run_counts_its_own_iterations():
    display, file, clock = make(total=1000, start=900)
    with display:
        clock.now += 10
        display.update({"iteration": 901})
    assert "left 16:30" in file.getvalue()


def test_plain_output_has_no_control_codes_and_keeps_messages_whole():
    display, file, _ = make()
    text = "a checkpoint [bold] was written to " + "x" * 200
    with display:
        display.message(text)
        display.update({"iteration": 1, **evaluation(*[0.5] * 10)})
    assert text + "\n" in file.getvalue()
    assert "\x1b" not in file.getvalue()


def test_a_metric_that_is_not_there_is_left_out():
    display, file, _ = make()
    with display:
        display.update({"iteration": 1, "train/kl": None, "train/entropy": 0.5})
    assert "entropy 0.5" in file.getvalue() and "kl" not in file.getvalue()


def test_a_name_is_text_and_no_markup(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    file, name = io.StringIO(), "[bold]run[/bold]"
    with Display(10, 0, name, file=file, live=True) as display:
        display.update({"iteration": 1, f"eval/{name}/win_rate": 0.5})
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", file.getvalue())
    # In the head and among the win rates of the last screen.
    assert text.count(name) >= 2


@pytest.mark.parametrize("live", [False, True])
def test_characters_that_the_console_lacks_do_not_end_the_run(live):
    bytes_written = io.BytesIO()
    file = io.TextIOWrapper(bytes_written, encoding="ascii")
    with Display(10, 0, "läufer", file=file, live=live) as display:
        display.message("läufer ± 5")
        display.update({"iteration": 1, **evaluation(0.5)})
    file.flush()
    assert b"l?ufer ? 5" in bytes_written.getvalue()


def test_the_live_screen_has_progress_and_times(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    display, file, clock = make(total=10, live=True)
    with display:
        clock.now += 30
        display.update({"iteration": 1, "time/games_per_second": 4321.0})
    text = " ".join(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", file.getvalue()).split())
    assert "1/10 elapsed 0:00:30 left 0:04:30" in text
    assert "4,321 games/s" in text


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_a_terminal_is_left_clean(error, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    display, file, _ = make(live=True)
    try:
        with display:
            display.message("a [message]")
            shares = {"time/generation_share": 0.6, "time/learning_share": 0.4}
            display.update({"iteration": 25, **shares, **evaluation(0.987)})
            if error is not None:
                raise error
    except KeyboardInterrupt:
        pass
    text = file.getvalue()
    for shown in ("a [message]", "quickstart", "25/100", "generation 60 %", "98.7"):
        assert shown in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).endswith("\n")


class LostFile(io.StringIO):
    def write(self, text):
        raise BrokenPipeError


@pytest.mark.parametrize("live", [False, True])
def test_an_output_that_goes_away_does_not_end_the_run(live):
    with Display(10, 0, "quickstart", file=LostFile(), live=live) as display:
        display.update({"iteration": 1})
        display.message("still there")
        display.update({"iteration": 2, **evaluation(0.5)})


def test_a_closed_output_does_not_end_the_run():
    display, file, _ = make()
    file.close()
    with display:
        display.update({"iteration": 1})
