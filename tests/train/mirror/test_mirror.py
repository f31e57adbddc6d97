"""A step is in a mirror whole or not at all, whatever happens while it is put there."""

import itertools
import shutil
import uuid

import pytest

from tests.train.mirror.conftest import content_of, save_step
from tests.train.mirror.faulty_storage import FaultyFileSystem, new_url
from train.mirror.mirror import Mirror, TakenOverError
from train.mirror.records import StepRecord, content_hash
from train.mirror.snapshot import held_step
from train.mirror.storage import MirrorError, Storage


class KilledError(BaseException):
    """Stands for the end of the process."""


@pytest.fixture(params=["file", "memory", "faulty"])
def url(request, tmp_path):
    if request.param == "file":
        return (tmp_path / "bucket" / "runs").as_uri()
    return f"memory://{uuid.uuid4().hex}/runs" if request.param == "memory" else new_url()


def a_mirror(url, name="small"):
    return Mirror(Storage(url, name))


def claimed(url, run):
    mirror = a_mirror(url)
    mirror.claim(run)
    return mirror


def put(mirror, run, step):
    with held_step(run, step) as files:
        mirror.put(step, files)


def restored(url, folder):
    said: list[str] = []
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    steps = a_mirror(url).restore(folder, said.append)
    return steps, content_of(folder), said


def test_what_is_put_comes_back(url, run, tmp_path):
    mirror = claimed(url, run)
    for step in (50, 100):
        save_step(run, step)
        put(mirror, run, step)
    assert a_mirror(url).steps() == [50, 100]
    assert restored(url, tmp_path / "new") == ([50, 100], content_of(run), [])


def test_an_empty_mirror_restores_nothing(url, tmp_path):
    assert restored(url, tmp_path / "new") == ([], {}, [])


def test_old_steps_go_when_the_run_no_longer_keeps_them(url, run, tmp_path):
    mirror = claimed(url, run)
    for step in (50, 100, 150):
        save_step(run, step)
        put(mirror, run, step)
    shutil.rmtree(run / "steps" / "100")
    (run / "policies" / "000100.policy").unlink()
    mirror.keep([50, 150])
    assert restored(url, tmp_path / "new") == ([50, 150], content_of(run), [])
    # Nothing is left of what no step needs; the two steps' metrics differ.
    needed = len(set(content_of(run).values())) + 1
    assert len(Storage(url, "small").sizes("objects")) == needed


def test_a_later_step_from_elsewhere_is_not_removed(url, run):
    mirror = claimed(url, run)
    for step in (50, 100):
        save_step(run, step)
        put(mirror, run, step)
    mirror.keep([50])
    assert mirror.steps() == [50, 100]
    mirror.remove_after(50)
    assert mirror.steps() == [50]


@pytest.mark.parametrize("written", [0.0, 0.5, 1.0])
def test_a_kill_at_any_operation_loses_no_finished_step(run, tmp_path, written):
    save_step(run, 50)
    for operations in itertools.count():
        url, folder = new_url(), tmp_path / "new"
        mirror = claimed(url, run)
        put(mirror, run, 50)
        _, before, _ = restored(url, folder)
        trained = tmp_path / "trained"
        shutil.rmtree(trained, ignore_errors=True)
        shutil.copytree(run, trained)
        save_step(trained, 100)

        left = operations

        def kill(operation, path):
            nonlocal left
            left -= 1
            if left == -1 and operation == "write":
                return written
            if left < 0:
                raise KilledError
            return None

        FaultyFileSystem.fault = staticmethod(kill)
        try:
            put(mirror, trained, 100)
            mirror.keep([100])
            ended = True
        except KilledError:
            ended = False
        FaultyFileSystem.fault = staticmethod(lambda operation, path: None)

        steps, content, said = restored(url, folder)
        assert not said
        assert steps in ([50], [50, 100], [100])
        if steps == [50]:
            assert content == before
        else:
            whole = content_of(trained)
            assert {path: whole[path] for path in content} == content
            assert set(whole) - set(content) <= {path for path in whole if "50" in path}
        # The next start brings it to its end.
        mirror = claimed(url, trained)
        put(mirror, trained, 100)
        mirror.keep([100])
        assert a_mirror(url).steps() == [100]
        assert restored(url, folder)[:2] == ([100], {
            path: data for path, data in content_of(trained).items() if path not in (
                "steps/50/arrays/d/data", "steps/50/metrics", "policies/000050.policy")
        })  # fmt: skip
        if ended:
            break
    assert operations >= 20


def test_a_write_that_is_cut_short_without_an_error_is_found(run):
    url = new_url()
    save_step(run, 50)
    mirror = claimed(url, run)
    FaultyFileSystem.fault = staticmethod(
        lambda operation, path: 0.7 if operation == "write" and "objects" in path else None
    )
    with pytest.raises(MirrorError, match="has not kept what was written to objects/"):
        put(mirror, run, 50)
    assert mirror.steps() == []


def test_a_read_that_is_cut_short_is_repeated(run, tmp_path):
    url = new_url()
    save_step(run, 50)
    put(claimed(url, run), run, 50)
    reads = itertools.count()
    FaultyFileSystem.fault = staticmethod(
        lambda operation, path: 0.5 if "objects" in path and next(reads) % 2 == 0 else None
    )
    assert restored(url, tmp_path / "new") == ([50], content_of(run), [])


def test_a_damaged_step_is_named_and_the_one_before_restored(url, run, tmp_path):
    mirror = claimed(url, run)
    save_step(run, 50)
    put(mirror, run, 50)
    before = content_of(run)
    save_step(run, 100)
    put(mirror, run, 100)
    storage = Storage(url, "small")
    (damaged,) = (
        digest
        for digest in storage.sizes("objects")
        if storage.read(f"objects/{digest}") == (run / "steps/100/arrays/d/data").read_bytes()
    )
    storage.write(f"objects/{damaged}", b"something else")
    steps, content, said = restored(url, tmp_path / "new")
    assert (steps, content) == ([50], before)
    assert said == [
        f"step 100 in the mirror {url}/small is not restored: steps/100/arrays/d/data is damaged"
    ]
    # Put again, it is mended.
    put(claimed(url, run), run, 100)
    assert restored(url, tmp_path / "new")[0] == [50, 100]


def test_where_no_step_is_whole_nothing_is_restored(url, run, tmp_path):
    save_step(run, 50)
    put(claimed(url, run), run, 50)
    storage = Storage(url, "small")
    for digest in storage.sizes("objects"):
        storage.remove(f"objects/{digest}")
    with pytest.raises(MirrorError, match=r"small holds no step that is whole$"):
        restored(url, tmp_path / "new")
    assert content_of(tmp_path / "new") == {}


def test_another_run_is_refused(url, run, tmp_path):
    save_step(run, 50)
    put(claimed(url, run), run, 50)
    other = tmp_path / "other"
    other.mkdir()
    save_step(other, 50)
    with pytest.raises(TakenOverError, match="holds another run than"):
        claimed(url, other)
    # The run itself, restored on another machine, is not.
    restored(url, tmp_path / "new")
    claimed(url, tmp_path / "new")


def test_an_earlier_start_copies_nothing_more_once_a_later_one_has_begun(url, run):
    first = claimed(url, run)
    save_step(run, 50)
    put(first, run, 50)
    second = claimed(url, run)
    save_step(run, 100)
    for attempt in (lambda: put(first, run, 100), lambda: first.keep([])):
        with pytest.raises(TakenOverError, match="another start of the run copies"):
            attempt()
    put(second, run, 100)
    assert second.steps() == [50, 100]
    assert len(Storage(url, "small").sizes("claims")) == 1


@pytest.mark.parametrize("path", ["../outside", "/outside", "steps/../../outside", ""])
def test_a_record_cannot_name_a_file_outside_the_run(url, path, tmp_path):
    storage = Storage(url, "small")
    name, content = StepRecord(50, "0" * 32, {path: "0" * 64}).encode()
    storage.write(f"steps/{name}", content)
    storage.write(f"objects/{'0' * 64}", b"hostile")
    # It counts as a record that a kill has left half written.
    assert restored(url, tmp_path / "new") == ([], {}, [])
    assert a_mirror(url).steps() == []


def test_a_mirror_of_a_later_version_is_left_alone(url, run):
    mirror = claimed(url, run)
    content = b'{"format": 99}'
    Storage(url, "small").write(f"steps/00000100.{content_hash(content)[:16]}.json", content)
    save_step(run, 50)
    with pytest.raises(MirrorError, match="was written by another version of this program"):
        mirror.keep([50])


def test_an_unknown_kind_of_url_is_refused_in_a_sentence():
    with pytest.raises(MirrorError, match=r"cannot use the mirror nowhere://x/small: .*nowhere"):
        a_mirror("nowhere://x")


def test_a_request_to_stop_is_taken_once_and_not_by_a_later_start(url, run):
    mirror = claimed(url, run)
    assert not mirror.take_request()
    a_mirror(url).request_stop()
    assert mirror.take_request()
    assert not mirror.take_request()
    a_mirror(url).request_stop()
    assert not claimed(url, run).take_request()
