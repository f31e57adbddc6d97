"""Rows, resumption, torn files and full disks of the metrics of a run."""

import errno
import json
import math
import os
import time
from pathlib import Path

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event, SessionLog

from eval.runs.metrics_file import MetricsError, read_metrics
from train.runs.metrics import MetricsWriter


def row(iteration, **values):
    return {
        "iteration": iteration,
        "train/value_loss": 1.0 / iteration,
        "total/games": 100 * iteration,
        **values,
    }


def write_rows(folder, iterations):
    with MetricsWriter(folder) as writer:
        for iteration in iterations:
            writer.write(row(iteration))


def read_events(folder):
    """All events under a folder, by the length-prefixed records of the event file format."""
    events = []
    for path in sorted((folder / "tensorboard").iterdir()):
        data = path.read_bytes()
        while data:
            size = int.from_bytes(data[:8], "little")
            events.append(Event.FromString(data[12 : 12 + size]))
            data = data[16 + size :]
    return events


def test_rows_come_back_as_they_were(tmp_path):
    values = {"train/kl": 0.1, "eval/random/win_rate": 0.93, "note": "evaluated", "flag": True}
    with MetricsWriter(tmp_path) as writer:
        writer.write(row(1, **values))
        writer.write(row(2))
    assert read_metrics(tmp_path) == [row(1, **values), row(2)]
    assert read_metrics(tmp_path / "training_metrics.jsonl") == read_metrics(tmp_path)


def test_the_order_of_keys_does_not_depend_on_the_trainer(tmp_path):
    forwards = {"time/seconds": 1.5, "b": 1, "a": 2, "iteration": 1}
    for name, given in (("x", forwards), ("y", dict(reversed(forwards.items())))):
        with MetricsWriter(tmp_path / name) as writer:
            writer.write(given)
    texts = [(tmp_path / n / "training_metrics.jsonl").read_text() for n in "xy"]
    assert texts[0] == texts[1] == '{"iteration": 1, "a": 2, "b": 1, "time/seconds": 1.5}\n'


def test_every_line_is_valid_json_whatever_the_values(tmp_path):
    values = {
        "nan": math.nan,
        "infinite": -math.inf,
        "numpy": np.float32(0.5),
        "array": np.array(3),
        "nothing": None,
    }
    with MetricsWriter(tmp_path) as writer:
        writer.write(row(1, **values))

    def refuse(text):
        raise AssertionError(f"{text} is not JSON")

    text = (tmp_path / "training_metrics.jsonl").read_text()
    parsed = json.loads(text, parse_constant=refuse)
    assert parsed["nan"] is None and parsed["infinite"] is None and parsed["nothing"] is None
    assert parsed["numpy"] == 0.5 and parsed["array"] == 3
    json.loads((tmp_path / "summary.json").read_text(), parse_constant=refuse)


def test_a_row_that_is_refused_is_not_written(tmp_path):
    with MetricsWriter(tmp_path) as writer:
        writer.write(row(3))
        for wrong in (row(3), row(2), {"train/kl": 1.0}, row(4) | {"iteration": 4.5}):
            with pytest.raises(ValueError, match="iteration"):
                writer.write(wrong)
        with pytest.raises(TypeError, match="train/norms"):
            writer.write(row(4, **{"train/norms": [1.0, 2.0]}))
        writer.write(row(4))
    assert [r["iteration"] for r in read_metrics(tmp_path)] == [3, 4]


def test_the_summary_has_the_latest_the_best_and_the_totals(tmp_path):
    losses = {1: 0.5, 2: 0.2, 3: 0.4}
    with MetricsWriter(tmp_path) as writer:
        for iteration, loss in losses.items():
            extra = {"eval/random/win_rate": 0.9} if iteration == 2 else {}
            writer.write(row(iteration, **extra) | {"train/value_loss": loss})
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["iteration"] == 3
    assert summary["totals"] == {"games": 300}
    assert summary["latest"]["train/value_loss"] == {"value": 0.4, "iteration": 3}
    assert summary["latest"]["eval/random/win_rate"] == {"value": 0.9, "iteration": 2}
    assert summary["best"]["train/value_loss"] == {"value": 0.2, "iteration": 2}
    assert summary["best"]["eval/random/win_rate"] == {"value": 0.9, "iteration": 2}
    assert "total/games" not in summary["best"]


def test_the_first_of_equal_values_is_the_best(tmp_path):
    keys = ("train/explained_variance", "train/value_loss")
    with MetricsWriter(tmp_path) as writer:
        for iteration in (1, 2, 3):
            writer.write({"iteration": iteration, **dict.fromkeys(keys, 0.0)})
    best = json.loads((tmp_path / "summary.json").read_text())["best"]
    assert [best[key]["iteration"] for key in keys] == [1, 1]


def test_cutting_back_leaves_the_files_of_a_run_that_went_no_further(tmp_path):
    write_rows(tmp_path / "straight", range(1, 8))
    write_rows(tmp_path / "resumed", range(1, 7))
    with MetricsWriter(tmp_path / "resumed") as writer:
        writer.cut_back(4)
        for iteration in range(5, 8):
            writer.write(row(iteration))
    for name in ("training_metrics.jsonl", "summary.json"):
        straight, resumed = (tmp_path / run / name for run in ("straight", "resumed"))
        assert resumed.read_bytes() == straight.read_bytes()


def test_cutting_back_takes_later_values_out_of_the_summary(tmp_path):
    write_rows(tmp_path, range(1, 7))
    with MetricsWriter(tmp_path) as writer:
        writer.cut_back(2)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["iteration"] == 2
    assert summary["best"]["train/value_loss"] == {"value": 0.5, "iteration": 2}


def test_cutting_back_to_the_start_leaves_an_empty_file(tmp_path):
    write_rows(tmp_path, range(1, 4))
    with MetricsWriter(tmp_path) as writer:
        writer.cut_back(0)
        assert read_metrics(tmp_path) == []
        writer.write(row(1))
    assert read_metrics(tmp_path) == [row(1)]


@pytest.mark.parametrize("torn", [b'{"iteration": 4, "train/va', b"\0" * 100, b"{", b'{"a": 1}\n'])
def test_a_torn_last_line_stops_neither_readers_nor_the_next_start(tmp_path, torn):
    write_rows(tmp_path, range(1, 4))
    path = tmp_path / "training_metrics.jsonl"
    with path.open("ab") as file:
        file.write(torn)
    assert [r["iteration"] for r in read_metrics(tmp_path)] == [1, 2, 3]
    with MetricsWriter(tmp_path) as writer:
        writer.write(row(4))
    assert [json.loads(line)["iteration"] for line in path.read_text().splitlines()] == [1, 2, 3, 4]


def test_a_last_line_that_lacks_only_its_end_is_kept(tmp_path):
    write_rows(tmp_path, range(1, 4))
    path = tmp_path / "training_metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    write_rows(tmp_path, [4])
    assert [r["iteration"] for r in read_metrics(tmp_path)] == [1, 2, 3, 4]


def test_the_time_to_open_metrics_grows_with_their_number_alone(tmp_path):
    def seconds_to_open(rows):
        text = "x" * 1000
        lines = [json.dumps({"iteration": i, "note": text}) + "\n" for i in range(1, rows + 1)]
        (tmp_path / "training_metrics.jsonl").write_text("".join(lines))
        began = time.process_time()
        MetricsWriter(tmp_path).close()
        return time.process_time() - began

    # Copying all rows before each of them made this 50 times as long.
    assert seconds_to_open(24_000) < 25 * seconds_to_open(3_000)


def test_missing_metrics_are_an_error_that_names_the_file(tmp_path):
    with pytest.raises(MetricsError, match=r"training_metrics\.jsonl"):
        read_metrics(tmp_path)


def test_tensorboard_gets_the_numbers_of_a_row(tmp_path):
    with MetricsWriter(tmp_path) as writer:
        writer.write(row(5, note="text", **{"train/kl": math.nan, "train/entropy": 1.5}))
    (event,) = [e for e in read_events(tmp_path) if e.HasField("summary")]
    assert event.step == 5
    values = {value.tag: value.simple_value for value in event.summary.value}
    assert values == pytest.approx(
        {"train/entropy": 1.5, "train/value_loss": 0.2, "total/games": 500.0}
    )


def test_tensorboard_is_told_which_steps_a_resumed_run_repeats(tmp_path):
    write_rows(tmp_path, range(1, 7))
    with MetricsWriter(tmp_path) as writer:
        writer.cut_back(4)
        writer.write(row(5))
    events = read_events(tmp_path)
    starts = [e.step for e in events if e.session_log.status == SessionLog.START]
    assert starts == [5]
    assert [e.step for e in events if e.HasField("summary")] == [1, 2, 3, 4, 5, 6, 5]


def test_the_log_goes_on_where_it_was(tmp_path):
    for text in ("first start", "second start"):
        with MetricsWriter(tmp_path) as writer:
            writer.log.info(text)
    lines = (tmp_path / "training.log").read_text().splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("INFO first start") and lines[1].endswith("INFO second start")


def test_logs_of_two_runs_in_one_process_do_not_mix(tmp_path):
    with MetricsWriter(tmp_path / "a") as a, MetricsWriter(tmp_path / "b") as b:
        a.log.warning("about a")
        b.log.warning("about b")
    assert "about b" not in (tmp_path / "a" / "training.log").read_text()


def test_a_folder_that_is_a_file_is_one_clear_sentence(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(MetricsError, match=r"cannot write .*run"):
        MetricsWriter(tmp_path / "run")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
@pytest.mark.parametrize("name", ["training_metrics.jsonl", "training.log"])
def test_a_full_disk_is_one_clear_sentence(tmp_path, name):
    (tmp_path / name).symlink_to("/dev/full")
    if name == "training.log":
        refused = pytest.raises(MetricsError, match=r"training\.log: No space left")
        with refused, MetricsWriter(tmp_path) as writer:
            writer.log.info("something")
        return
    with (
        MetricsWriter(tmp_path / "new") as writer,
        pytest.raises(MetricsError, match=r"training_metrics.*No space left"),
    ):
        (tmp_path / "new" / name).symlink_to("/dev/full")
        writer.write(row(1))


def test_a_summary_that_cannot_be_replaced_leaves_the_old_one(tmp_path, monkeypatch):
    with MetricsWriter(tmp_path) as writer:
        writer.write(row(1))
        before = (tmp_path / "summary.json").read_bytes()

        def refuse(*_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "replace", refuse)
        with pytest.raises(MetricsError, match=r"summary\.json: No space left"):
            writer.write(row(2))
    assert (tmp_path / "summary.json").read_bytes() == before
    assert not list(tmp_path.glob("*.partial")) and not list(tmp_path.glob(".*.partial"))


def test_an_opponent_s_name_is_a_text_and_a_tag_whatever_it_holds(tmp_path):
    names = ("a$b_$", "<b>", "[bold]", "100%", "a,b", "gs:x", "\u00e9", "\udcff")
    run = tmp_path / names[0]
    with MetricsWriter(run) as writer:
        writer.write(row(1, **{f"eval/{name}/win_rate": 0.5 for name in names}))
        for name in names:
            writer.log.info("%s", name)
    expected = {f"eval/{name}/win_rate" for name in (*names[:-1], "\\udcff")}
    told: list[str] = []
    assert expected < read_metrics(run, told.append)[0].keys()
    assert not told
    (event,) = [each for each in read_events(run) if each.HasField("summary")]
    assert expected < {value.tag for value in event.summary.value}


def test_a_run_s_folder_may_look_like_a_protocol(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("gs:/bucket/run")
    write_rows(folder, [1])
    assert [each.step for each in read_events(folder) if each.HasField("summary")] == [1]
