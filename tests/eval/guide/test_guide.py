"""The command, and the guide that it writes."""

import json
from functools import partial
from pathlib import Path

import pytest

import eval.guide.measure
import eval.guide.openings
from eval.guide.__main__ import main
from eval.guide.document import Table, anchor, as_markdown
from eval.guide.kept import Kept
from eval.guide.measure import Budget
from eval.guide.page import inline
from eval.guide.positions import picture_of
from eval.guide.seats import NAMED
from eval.guide.writing import FIGURES, MARKDOWN, PICTURES, make_document, read_figures

HANDS = eval.guide.openings.HANDS[::90]


@pytest.fixture(scope="module")
def patched():
    with pytest.MonkeyPatch.context() as patch:
        small = partial(Budget, search_samples=4, hands_each=3, mistakes_each=3)
        patch.setattr(eval.guide.measure, "Budget", small)
        patch.setattr(eval.guide.openings, "HANDS", HANDS)
        yield


@pytest.fixture(scope="module")
def write(patched, tiny_checkpoints):
    """Writes a tiny guide into a folder; returns the exit code."""

    def write(folder, *options):
        checkpoint = str(tiny_checkpoints / "checkpoints" / "tiny")
        small = ["--games", "88", "--search-games", "44", "--samples", "4"]
        return main([checkpoint, *small, "--out", str(folder), *options])

    return write


@pytest.fixture(scope="module")
def guide(write, tmp_path_factory):
    folder = tmp_path_factory.mktemp("guide")
    assert write(folder) == 0
    return folder


def stored(folder):
    figures = json.loads((folder / "strategy.json").read_text())
    return figures | {"origin": None}


def test_the_guide_is_markdown_a_page_pictures_and_figures(guide):
    text = (guide / "strategy.md").read_text()
    figures = read_figures(guide / "strategy.json")
    for chapter in make_document(figures).chapters:
        assert f"## {chapter.title}\n" in text
        assert f"(#{anchor(chapter.title)})" in text
    pictures = {path.name for path in (guide / "pictures" / "strategy").iterdir()}
    assert {"when.svg", "queue.svg"} <= pictures
    assert len(pictures) == 2 + len(figures.positions)
    for name in pictures:
        assert f"(pictures/strategy/{name})" in text
    page = (guide / "strategy.html").read_text()
    assert page.count("data:image/svg+xml") == len(pictures)
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_the_same_seed_gives_the_same_guide(guide, write, tmp_path):
    assert write(tmp_path) == 0
    assert stored(tmp_path) == stored(guide)


def test_the_text_is_made_from_the_figures_alone(guide, tmp_path):
    assert main(["--figures", str(guide / "strategy.json"), "--out", str(tmp_path)]) == 0
    for name in ("strategy.md", "strategy.html", "strategy.json"):
        assert (tmp_path / name).read_bytes() == (guide / name).read_bytes()


def test_every_number_of_a_table_is_in_the_figures(guide):
    figures = read_figures(guide / "strategy.json")
    document = make_document(figures)
    tables = [b for chapter in document.chapters for b in chapter.blocks if isinstance(b, Table)]
    shown = {cell for table in tables for row in table.rows for cell in row if "±" in cell}
    known = set()

    def collect(value):
        if isinstance(value, list):
            for one in value:
                collect(one)
        elif isinstance(value, dict):
            if {"mean", "low", "high"} <= value.keys():
                known.add((value["mean"], max(value["high"] - value["mean"],
                                              value["mean"] - value["low"])))  # fmt: skip
            for one in value.values():
                collect(one)

    collect(json.loads((guide / "strategy.json").read_text()))
    assert len(shown) > 100
    for cell in shown:
        for part in cell.replace("−", "-").split("(")[-1:]:
            value, reach = (float(text.strip(" )%")) for text in part.split("±"))
            decimals = len(part.split("±")[1].strip(" )%").partition(".")[2])
            near = 0.51 * 10**-decimals
            assert any(
                abs(scale * mean - value) <= near and -1e-6 <= reach - scale * half <= 2.01 * near
                for mean, half in known
                for scale in (1, 100)
            ), cell


def test_sentences_follow_the_figures(guide):
    figures = read_figures(guide / "strategy.json")

    def text_with(gain):
        seats = [
            one.model_copy(update={"gain": one.gain.model_copy(update=gain)})
            if one.opponent == NAMED and one.gain
            else one
            for one in figures.seats
        ]
        changed = figures.model_copy(update={"seats": seats})
        return as_markdown(make_document(changed), "pictures")

    second = text_with({"mean": 0.05, "low": 0.04, "high": 0.06})
    assert "against the ten moving second wins 5.0 ± 1.0 points more often" in second
    first = text_with({"mean": -0.05, "low": -0.06, "high": -0.04})
    assert "against the ten moving first wins 5.0 ± 1.0 points more often" in first
    neither = text_with({"mean": 0.01, "low": -0.01, "high": 0.03})
    assert "against the ten neither seat is certain to be better" in neither


def test_openings_are_those_of_the_hands(guide):
    figures = read_figures(guide / "strategy.json")
    assert [one.opponent for one in figures.openings] == ["unknown", "network"]
    for openings in figures.openings:
        assert [tuple(sorted(hand.cards)) for hand in openings.hands] == [
            tuple(sorted(hand)) for hand in HANDS
        ]
        costs = []
        for hand in openings.hands:
            assert hand.behind == sorted(hand.behind)
            first = min(hand.cards, key=openings.order.index)
            costs.append(hand.behind[hand.cards.index(first)])
        assert openings.order_cost.mean == pytest.approx(sum(costs) / len(costs), abs=1e-4)
        assert openings.order_is_best == sum(one <= 0 for one in costs)


def test_a_position_has_a_better_move_than_the_tempting_one(guide):
    for position in read_figures(guide / "strategy.json").positions:
        assert position.obvious.behind.is_positive
        assert position.best.move != position.obvious.move
        assert "their " not in " ".join(position.hand)
        picture = picture_of(position)
        # What the opponent holds is not in it.
        assert picture.count("<ellipse") >= 4


def test_what_is_no_guide_is_not_overwritten(write, tmp_path, capsys):
    (tmp_path / "strategy.md").write_text("my own thoughts")
    assert write(tmp_path) == 2
    assert "is not a guide; choose another folder with --out" in capsys.readouterr().err
    assert (tmp_path / "strategy.md").read_text() == "my own thoughts"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give either a checkpoint or --figures"),
        (["tiny", "--figures", "x.json"], "give either a checkpoint or --figures"),
        (["tiny", "--games", "43"], "--games must be at least 44"),
        (["tiny", "--search-games", "22"], "--search-games must be at least 44"),
        (["tiny", "--samples", "1"], "--samples must be 2 to 100000, not 1"),
        (["tiny", "--seed", "-1"], "--seed must not be negative"),
        (["--figures", "missing.json"], "cannot read missing.json"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(arguments, words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not list(tmp_path.glob("docs/strategy*"))


def test_figures_of_something_else_are_refused(tmp_path, capsys):
    (tmp_path / "other.json").write_text('{"seats": 3}')
    assert main(["--figures", str(tmp_path / "other.json"), "--out", str(tmp_path)]) == 2
    assert "does not hold the figures of a guide" in capsys.readouterr().err


def test_a_stopped_guide_is_resumed_where_it_stopped(guide, write, tmp_path, monkeypatch, capsys):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(eval.guide.measure, "mistake_figures", interrupted)
        assert write(tmp_path) == 130
    assert {path.name for path in tmp_path.glob("strategy*")} == {"strategy.partial"}
    capsys.readouterr()
    # A damaged part is made anew, all others are taken as they are.
    (tmp_path / "strategy.partial" / "trust.json").write_text("{")
    for name in ("play_games", "run_trials", "opening_figures", "reply_figures"):
        monkeypatch.setattr(eval.guide.measure, name, interrupted)
    assert write(tmp_path) == 0
    assert "trust.json is damaged and made anew" in capsys.readouterr().err
    assert stored(tmp_path) == stored(guide)
    assert not (tmp_path / "strategy.partial").exists()


def test_parts_of_another_guide_are_not_taken(tmp_path):
    notes: list[str] = []
    Kept(tmp_path / "kept", "one", notes.append).model("part", int, lambda: 1)
    assert Kept(tmp_path / "kept", "one", notes.append).model("part", int, lambda: 2) == 1
    other = Kept(tmp_path / "kept", "other", notes.append)
    assert other.model("part", int, lambda: 3) == 3
    assert "belongs to another guide" in notes[-1]


def test_marks_of_the_text_become_html_and_all_else_is_escaped():
    text = inline("**a `b`** <c> [d](e.md) & `<f>`")
    assert text == (
        '<strong>a <code>b</code></strong> &lt;c&gt; <a href="e.md">d</a> &amp; '
        "<code>&lt;f&gt;</code>"
    )


def test_the_guide_in_the_documentation_is_made_from_its_figures():
    folder = Path(__file__).resolve().parents[3] / "docs"
    if not (folder / MARKDOWN).exists():
        pytest.skip("the documentation is not at hand")
    document = make_document(read_figures(folder / FIGURES))
    assert (folder / MARKDOWN).read_text("utf-8") == as_markdown(document, PICTURES)
    drawn = {f"{picture.name}.svg": picture.svg for picture in document.pictures}
    kept = {path.name: path.read_text("utf-8") for path in (folder / PICTURES).iterdir()}
    assert kept == drawn
