"""The report on runs: what is read, what is drawn, and a page that stands alone."""

import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from bb_jax.errors import UserError
from eval.report.__main__ import main, write_report
from eval.report.curves import (
    learning_charts,
    norm_charts,
    rating_chart,
    speed_charts,
    win_rate_charts,
)
from eval.report.data import CHECKPOINTS, RunData, read_runs
from eval.report.heat_maps import evaluation_matrices, met_maps
from eval.report.page import Page, Section, render_page
from eval.report.style import running_mean
from eval.report.tables import configuration_tables, overview_table

OPPONENTS = ("random", "online", "package.agents:Careful")
BLUE, VERMILLION = (0, 114, 178), (213, 94, 0)


def make_rows(iterations, evaluated_every=2):
    """Rows as the trainer writes them, as far as a report reads them."""
    rows = []
    for iteration in range(1, iterations + 1):
        row = {
            "iteration": iteration,
            "train/policy_loss": -0.01 / iteration,
            "train/value_loss": 0.2 / iteration,
            "train/entropy": 1.2 - iteration / 2000,
            "train/kl": 0.01,
            "train/clip_fraction": None,
            "train/explained_variance": 0.5,
            "train/skipped_updates": 0.0,
            "train/learning_rate": 1e-3,
            "train/entropy_coef": 0.02,
            "train/temperature": 1.0,
            "train/grad_norm_pre_clip": 0.4,
            "train/grad_norm_post_clip": 0.3,
            "train/update_norm": 0.1,
            "train/param_norm": 30.0,
            "total/games": 100 * iteration,
            "weight/self": 0.5,
            "weight/random": 0.3,
            "weight/checkpoint:aa": 0.1,
            "weight/checkpoint:bb": 0.1,
            "met/random/games": 10,
            "met/random/win_rate": 0.8,
            "met/checkpoint:aa/games": 30,
            "met/checkpoint:aa/win_rate": 0.4,
            "time/games_per_second": 1000.0,
            "time/positions_per_second": 15000.0,
            "time/waiting_share": 0.2,
            "time/learning_share": 0.5,
            "time/evaluation_share": 0.1,
        }
        if iteration == 2:
            row |= {"met/checkpoint:bb/games": 10, "met/checkpoint:bb/win_rate": 0.8}
        if iteration % evaluated_every == 0:
            for number, name in enumerate(OPPONENTS):
                rate = 0.5 + 0.1 * number
                row[f"eval/{name}/win_rate"] = rate
                row[f"eval/{name}/ci95_low"] = rate - 0.05
                row[f"eval/{name}/ci95_high"] = rate + 0.05
            row["eval/mean_win_rate"] = 0.6
        rows.append(row)
    return rows


def make_run(folder, rows, **files):
    folder.mkdir(parents=True)
    lines = [json.dumps(row) + "\n" for row in rows]
    (folder / "training_metrics.jsonl").write_text("".join(lines))
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


RESULT = {
    "opponent": "random", "games": 1000, "wins": 942, "draws": 32, "losses": 26, "win_rate": 0.942,
    "ci95": [0.9258, 0.9549], "mean_margin": 8.76,
}  # fmt: skip
ENTRIES: list[dict[str, Any]] = [
    {"step": 2, "elo": {"rating": 100.0, "error": 10.0}, "label": "novice"},
    {"step": 4, "elo": {"rating": 200.0, "error": None}, "win_rates": {"random": RESULT}},
    {"step": 6, "elo": None, "win_rates": {}},
]
FILES = {
    "config": {"total_iterations": 6, "ppo_config": {"target_kl": 0.02, "gamma": 1.0}},
    "final_evaluation": {
        "iteration": 6,
        "scoring": "points",
        "date": "2026-01-31T09:30:00+00:00",
        "results": [RESULT],
    },
    "manifest": {"entries": ENTRIES},
}


class HtmlParts(HTMLParser):
    """The parts of a page that could need something from outside."""

    def __init__(self, html):
        super().__init__()
        self.sources, self.tags, self.alternatives = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        values = dict(attributes)
        self.sources += [values[key] for key in ("src", "href", "srcset") if values.get(key)]
        if tag == "img":
            self.alternatives.append(values["alt"])


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    run = make_run(tmp_path_factory.mktemp("runs") / "first", make_rows(6), **FILES)
    return write_report([run], run / "report")


def colours(path):
    pixels = imread(path)[..., :3].reshape(-1, 3)
    return set(map(tuple, np.rint(255 * pixels).astype(int).tolist()))


def test_the_page_needs_nothing_from_outside(report):
    html = report.read_text()
    page = HtmlParts(html)
    assert "script" not in page.tags
    assert all(source.startswith(("data:", "#")) for source in page.sources)
    assert not re.search(r"url\(|@import|https?:", html)
    assert 'name="viewport"' in html
    assert "prefers-color-scheme: dark" in html


def test_every_picture_is_a_file_of_its_own_and_says_what_it_shows(report):
    page = HtmlParts(report.read_text())
    files = {path.stem for path in report.parent.glob("*.png")}
    assert len(files) == page.tags.count("img") == len(set(page.alternatives))
    expected = {
        "win_rate_mean", "win_rate_random", "win_rate_online", "win_rate_package_agents_Careful",
        "win_rate_matrix", "checkpoint_matrix", "ratings", "policy_loss", "value_loss", "entropy",
        "kl", "explained_variance", "grad_norm_pre_clip", "update_norm", "learning_rate",
        "entropy_coef", "temperature", "weights", "met", "games_per_second", "time_shares",
    }  # fmt: skip
    assert expected <= files
    # Values that are all missing are no chart.
    assert "clip_fraction" not in files
    for path in report.parent.glob("*.png"):
        assert imread(path).shape[1] == 840


def test_the_page_shows_the_final_table_the_ratings_and_the_configuration(report):
    text = re.sub(r"<[^>]*>", " ", re.sub(r"<(style).*?</\1>", "", report.read_text(), flags=re.S))
    text = " ".join(text.split())
    assert "random 94.20 93.4 92.58–95.49 942 32 26 +8.76" in text
    assert "after iteration 6, 2026-01-31 09:30 UTC; 1,000 games" in text
    assert "2 100 ± 20 novice" in text
    assert "ppo_config.target_kl 0.02" in text
    assert "6 of 6" in text


def test_several_runs_share_charts_in_their_own_colours(tmp_path):
    runs = [
        make_run(tmp_path / "a" / "same", make_rows(6), **FILES),
        make_run(tmp_path / "b" / "same", make_rows(4), config={"total_iterations": 9}),
    ]
    page = write_report(runs, tmp_path / "out")
    html = page.read_text()
    assert "a/same" in html
    assert "b/same" in html
    files = {path.stem for path in page.parent.glob("*.png")}
    assert {"win_rate_matrix_1", "win_rate_matrix_2", "weights_1", "weights_2"} <= files
    assert {BLUE, VERMILLION} <= colours(page.parent / "param_norm.png")
    # What differs between the configurations stands apart.
    assert re.search(r"<td>total_iterations</td><td>6</td><td>9</td>", html)


def test_one_row_and_a_name_that_is_no_text_are_enough(tmp_path):
    run = make_run(tmp_path / os.fsdecode(b"\xff"), make_rows(1))
    page = write_report([run], tmp_path / "report")
    assert "\\udcff" in page.read_text()
    assert (page.parent / "value_loss.png").exists()
    assert not (page.parent / "win_rate_mean.png").exists()


def test_a_torn_line_and_damaged_files_beside_the_metrics_are_survived(tmp_path):
    run = make_run(tmp_path / "torn", make_rows(3))
    with open(run / "training_metrics.jsonl", "a") as file:
        file.write('{"iteration": NaN}\n{"iteration": 4, "train/ent')
    (run / "manifest.json").write_text("{")
    (run / "final_evaluation.json").write_text('{"results": [{}]}')
    html = write_report([run], run / "report").read_text()
    assert "manifest.json" in html
    assert "line 4 of" in html
    assert "not a complete match result" in html
    assert "3 of" not in html
    assert "<td>3</td>" in html


def test_bad_input_is_refused_in_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = make_run(tmp_path / "run", make_rows(2))
    empty = make_run(tmp_path / "empty", [])
    (tmp_path / "bare" / "policies").mkdir(parents=True)
    damaged = make_run(tmp_path / "damaged", make_rows(2))
    (damaged / "training_metrics.jsonl").write_text("{\n{}\n")
    page = tmp_path / "site" / "index.html"
    page.parent.mkdir()
    page.write_text("<p>mine</p>")
    (tmp_path / "file").write_text("")
    for arguments, word in [
        (["nowhere"], "there is no run nowhere"),
        (["./empty"], "no iteration is completed"),
        (["./bare"], "training_metrics.jsonl"),
        (["./damaged"], "no iteration is completed"),
        (["./run", "run"], "given twice"),
        (["./run", "--out", "site"], "is not a report"),
        (["./run", "--out", "file"], "cannot write to file"),
    ]:
        assert main(arguments) == 2, arguments
        said = capsys.readouterr().err
        assert said.startswith("error: ") and len(said.splitlines()) == 1
        assert word in said
    assert page.read_text() == "<p>mine</p>"
    assert sorted(path.name for path in run.iterdir()) == ["training_metrics.jsonl"]
    assert empty.exists()


def test_the_command_line_prints_where_the_page_is(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "checkpoints" / "run", make_rows(2))
    assert main(["run"]) == 0
    assert capsys.readouterr().out == "checkpoints/run/report/index.html\n"


def test_names_are_text_and_not_markup_on_the_page():
    run = RunData("<b>&", Path(), make_rows(2), {"note": "</table><script>"})
    others = RunData('"<i>{{ 1 + 1 }}', Path(), make_rows(2))
    charts = learning_charts([run])
    sections = [Section("<b>", charts, configuration_tables([run, others]))]
    html = render_page(
        Page("<b>", "2026-01-01", overview_table([run, others]), sections, ["<i>: no file"])
    )
    tags = HtmlParts(html).tags
    assert not {"script", "b", "i"} & set(tags)
    assert "&lt;b&gt;&amp;" in html
    assert "{{ 1 + 1 }}" in html


def pictures(names, **values):
    """Every picture of a report on runs with these names."""
    rows = [row | values for row in make_rows(4)]
    runs = [RunData(name, Path(), rows, entries=ENTRIES) for name in names]
    charts = [
        *win_rate_charts(runs),
        *evaluation_matrices(runs),
        *met_maps(runs),
        *speed_charts(runs),
        *norm_charts(runs),
    ]
    ratings = rating_chart(runs)
    assert ratings is not None
    charts.append(ratings)
    return [chart.png for chart in charts]


def test_names_are_text_and_no_formulas_in_the_charts():
    strange = {"eval/$x_$/win_rate": 0.5, "met/$x_$/games": 1, "met/$x_$/win_rate": 0.5}
    assert all(pictures(["a$b_$", "<b>"], **strange))
    # With the dollars taken for signs of a formula, these two would look alike.
    plain, formula = (
        win_rate_charts([RunData(name, Path(), make_rows(4)) for name in (first, "other")])[0].png
        for first in ("ab", "a$b$")
    )
    assert plain != formula


@pytest.mark.slow
def test_a_name_may_begin_with_an_underscore():
    """matplotlib leaves such labels out of a legend."""
    charts = zip(pictures(["_first", "second"]), pictures(["_other", "second"]), strict=True)
    # Matrix, map and shares of time of the second run show no other name.
    assert sum(png == other for png, other in charts) == 3


def test_a_page_reads_as_html(report):
    html = report.read_text()
    assert html.startswith("<!doctype html>\n<html")
    assert html.count("<table") == html.count("</table>")
    assert 'id="section-1">Final table</h2>' in html


# ---------------------------------------------------------------------------------------------
# What is read
# ---------------------------------------------------------------------------------------------


def test_checkpoint_opponents_count_together(tmp_path):
    run = read_runs([make_run(tmp_path / "run", make_rows(2))])[0]
    np.testing.assert_allclose(run.shares()[CHECKPOINTS], [0.2, 0.2])
    # 30 games at 0.4; then those and 10 at 0.8.
    np.testing.assert_allclose(run.met()[CHECKPOINTS], [0.4, 0.5])
    assert list(run.shares()) == ["random", "self", CHECKPOINTS]


def test_the_ladder_comes_before_the_manifest_and_has_steps_that_are_gone(tmp_path):
    ladder = {
        "checkpoints": [
            {"step": 1, "elo": {"rating": 50.0, "error": 5.0}, "above_predecessor": None},
            {"step": 2, "elo": {"rating": 120.0, "error": 5.0}, "above_predecessor": 0.99},
        ],
        "matches": [{"step": 2, "opponent": "@1", "win_rate": 0.6}],
    }
    run = read_runs([make_run(tmp_path / "run", make_rows(2), ladder=ladder, **FILES)])[0]
    assert [(r.step, r.rating, r.label) for r in run.ratings()] == [
        (1, 50.0, ""),
        (2, 120.0, "novice"),
        (4, 200.0, ""),
    ]
    assert run.ratings()[1].above_predecessor == 0.99
    assert run.checkpoint_win_rates() == {2: {"@1": 0.6}, 4: {"random": 0.942}}


def test_a_running_mean_begins_with_what_there_is():
    np.testing.assert_allclose(running_mean(np.array([1.0, 3.0, 5.0, 7.0]), 2), [1, 2, 4, 6])


# ---------------------------------------------------------------------------------------------
# What is drawn
# ---------------------------------------------------------------------------------------------


def test_named_opponents_come_first_and_the_baseline_only_under_points():
    run = RunData("run", rows=make_rows(4), folder=Path())
    animals = RunData("run", rows=make_rows(4), folder=Path(), configuration={"scoring": "animals"})
    titles = [chart.title for chart in win_rate_charts([run])]
    assert titles[:3] == ["Mean win rate", "Win rate: random", "Win rate: online"]
    assert win_rate_charts([run])[1].png != win_rate_charts([animals])[1].png


def test_a_matrix_of_many_evaluations_says_what_it_leaves_out():
    run = RunData("run", rows=make_rows(60), folder=Path())
    (chart,) = evaluation_matrices([run])
    assert "10 of 30 columns" in chart.note
    assert "Colours go from 50 to 100 %" in chart.note


def test_missing_metrics_are_named(tmp_path):
    with pytest.raises(UserError, match="training_metrics"):
        read_runs([tmp_path])
