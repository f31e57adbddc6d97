"""Lines of the metrics that training did not write: told, set aside, and nothing else is lost."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.runs.metrics_file import MetricsError, iteration_of, read_metrics
from train.jobs.status import JobStatus, State
from train.jobs.views import describe, list_runs
from train.runs.metrics import MetricsWriter

NO_ROWS = [
    b'{"iteration": 2, "train/kl": NaN}',
    b'{"iteration": 2, "train/kl": -Infinity}',
    b'{"iteration": 2, "train/kl": 1e999}',
    b'{"iteration": 2, "total/games": ' + b"9" * 400 + b"}",
    b'{"iteration": 2, "total/games": ' + b"9" * 5000 + b"}",
    b'{"iteration": Infinity}',
    b'{"iteration": 2.5}',
    b'{"iteration": 0}',
    b'{"iteration": true}',
    b'{"iteration": 2, "a": 1, "a": 2}',
    b'{"iteration": 2, "a": [1]}',
    b'{"iteration": 2, "a": {}}',
    b'{"iteration": 2, "a": "\\ud800"}',
    b'{"iteration": 2, "\xff": 1}',
    b'{"iteration": 2, "a": ' + b"[" * 100_000,
    b"[2]",
    b"garbage",
    b"\0" * 4096,
    b"",
]


def line(iteration):
    return json.dumps({"iteration": iteration, "train/kl": 0.5 / iteration}).encode()


def write(folder, lines):
    folder.mkdir(exist_ok=True)
    path = folder / "training_metrics.jsonl"
    path.write_bytes(b"".join(each + b"\n" for each in lines))
    return path


def set_aside(folder):
    path = folder / "training_metrics.damaged.jsonl"
    return path.read_bytes() if path.exists() else b""


@pytest.mark.parametrize("damaged", NO_ROWS)
def test_a_line_that_is_no_row_is_told_and_set_aside(tmp_path, damaged, capsys):
    path = write(tmp_path, [line(1), damaged, line(3)])
    told: list[str] = []
    assert [row["iteration"] for row in read_metrics(tmp_path, told.append)] == [1, 3]
    assert len(told) == 1 and "line 2" in told[0]
    with MetricsWriter(tmp_path) as writer:
        writer.write({"iteration": 4})
    assert [row["iteration"] for row in read_metrics(tmp_path, pytest.fail)] == [1, 3, 4]
    assert path.read_bytes().startswith(line(1) + b"\n" + line(3) + b"\n")
    assert set_aside(tmp_path) == damaged + b"\n"
    assert "line 2" in (tmp_path / "training.log").read_text()
    assert "line 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("iterations", "kept", "numbers"),
    [
        ([1, 2, 9003, 4, 5], [1, 2, 4, 5], [3]),
        ([1, 2, 2, 3], [1, 2, 3], [2]),
        ([1, 2, 3, 1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3]),
        ([3, 1, 2], [1, 2], [1]),
    ],
)
def test_rows_out_of_order_cost_no_others(tmp_path, iterations, kept, numbers):
    path = write(tmp_path, map(line, iterations))
    MetricsWriter(tmp_path).close()
    assert path.read_bytes() == b"".join(line(iteration) + b"\n" for iteration in kept)
    aside = b"".join(line(iterations[number - 1]) + b"\n" for number in numbers)
    assert set_aside(tmp_path) == aside


def test_a_second_damage_joins_the_first(tmp_path):
    write(tmp_path, [b"first", line(1)])
    MetricsWriter(tmp_path).close()
    with (tmp_path / "training_metrics.jsonl").open("ab") as file:
        file.write(b"second\n" + line(2) + b"\n")
    MetricsWriter(tmp_path).close()
    assert set_aside(tmp_path) == b"first\nsecond\n"


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_mutation_loses_a_line_or_stops_a_start(tmp_path_factory, data):
    """Bytes are replaced, removed and put in anywhere; every complete line is kept somewhere."""
    content = bytearray(b"".join(line(iteration) + b"\n" for iteration in range(1, 9)))
    for _ in range(data.draw(st.integers(1, 4))):
        begin = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(begin, min(begin + 60, len(content))))
        content[begin:end] = data.draw(
            st.sampled_from([*NO_ROWS, b"\n", b"e999", b"\r", b'"']) | st.binary(max_size=20)
        )
    folder = tmp_path_factory.mktemp("run")
    path = folder / "training_metrics.jsonl"
    path.write_bytes(content)
    *lines, _ = bytes(content).split(b"\n")

    rows = read_metrics(folder, lambda _: None)
    with MetricsWriter(folder) as writer:
        kept = path.read_bytes() + set_aside(folder)
        writer.write({"iteration": 1 + max(map(iteration_of, rows), default=0)})
    left = kept.split(b"\n")
    for each in filter(None, map(bytes.strip, lines)):
        assert each in [other.strip() for other in left]
    again = read_metrics(folder, pytest.fail)
    assert again[:-1] == rows
    iterations = list(map(iteration_of, again))
    assert iterations == sorted(set(iterations))
    summary = json.loads((folder / "summary.json").read_text(), parse_constant=pytest.fail)
    assert summary["iteration"] == iterations[-1]


def test_views_of_a_run_tell_the_damage_and_go_on(tmp_path):
    write(tmp_path / "run", [line(1), b"garbage", line(3)])
    for text in (list_runs(tmp_path), describe(tmp_path / "run", JobStatus(State.UNKNOWN, ""))):
        assert "3/?" in text and "line 2" in text


def test_a_metrics_file_that_is_no_file_is_one_clear_sentence(tmp_path):
    (tmp_path / "training_metrics.jsonl").mkdir()
    with pytest.raises(MetricsError, match=r"training_metrics\.jsonl: "):
        MetricsWriter(tmp_path)
