import itertools
from pathlib import Path

import pytest

from tests.train.mirror.faulty_storage import FaultyFileSystem


@pytest.fixture(autouse=True)
def no_faults():
    """Tests set faults, and none outlives them."""
    yield
    FaultyFileSystem.fault = staticmethod(lambda operation, path: None)


@pytest.fixture
def run(tmp_path) -> Path:
    """A run's folder without steps."""
    folder = tmp_path / "run"
    (folder / "opponents").mkdir(parents=True)
    (folder / "opponents" / "abc.policy").write_bytes(b"an opponent")
    return folder


_contents = itertools.count()


def save_step(run: Path, step: int) -> None:
    """Leaves in a run's folder what a saved step leaves there; each time with another content."""
    made = f"{step}, {next(_contents)}\n"
    with (run / "training_metrics.jsonl").open("a") as file:
        file.write(made)
    (run / "policies").mkdir(exist_ok=True)
    (run / "policies" / f"{step:06d}.policy").write_text(f"policy {made}")
    making = run / "steps" / f"{step}.making"
    (making / "arrays" / "d").mkdir(parents=True)
    (making / "arrays" / "d" / "data").write_bytes(1000 * made.encode())
    (making / "metrics").write_bytes(b"")
    making.rename(run / "steps" / str(step))


def content_of(folder: Path) -> dict[str, bytes]:
    """All files of a run's folder but the hidden ones."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.relative_to(folder).parts[0].startswith(".")
    }
