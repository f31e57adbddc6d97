"""Settings for all tests."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import compiling

# Cores are shared, so how long one example takes says nothing about the code.
settings.register_profile("project", deadline=None, print_blob=True)
settings.load_profile("project")

# A shell starts what runs in the background, or under nohup, with these ignored. Tests send them.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Before anything imports JAX.
compiling.configure()


def pytest_configure(config: pytest.Config) -> None:
    """Makes room for compiled functions, once for all processes of the tests."""
    if not hasattr(config, "workerinput"):
        compiling.limit_folder()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the trainer's tests first: their files take longest, and short ones fill up the end."""
    trainer = Path(__file__).parent / "train"
    items.sort(key=lambda item: not item.path.is_relative_to(trainer))


@pytest.fixture(scope="module", autouse=True)
def bounded_memory() -> Iterator[None]:
    """Keeps the processes of the tests small, however many modules they run."""
    yield
    compiling.forget_compiled_functions()
