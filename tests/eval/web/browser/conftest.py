"""The page in a real, headless Chromium, against a server of its own with a tiny network."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[4]
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
]
SIZES = {"desktop": (1280, 860), "phone": (390, 844)}


@pytest.fixture(scope="session")
def address(tiny_checkpoints) -> Iterator[str]:
    """The address of a server in a process of its own."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    server = subprocess.Popen(
        [sys.executable, "-m", "eval.web", "--checkpoint", "tiny", "--no-browser",
         "--port", str(port), "--device", "cpu"],
        cwd=tiny_checkpoints, env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    line = server.stdout.readline()
    assert "Beasty Bar is at" in line, line
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    assert server.wait(PATIENCE) in (0, -15, 130, 143)


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian and Ubuntu: apt-get install chromium)")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def open_page(browser, address):
    """Opens pages, each in a profile of its own; a page that complains fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_one(
        fragment="", size="desktop", speed="off", scheme="light", prepare=None, **settings
    ):
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            has_touch=size == "phone",
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        values = ",".join(f"{name}:{str(value).lower()}" for name, value in settings.items())
        context.add_init_script(
            "if (!localStorage.getItem('beasty.settings')) localStorage.setItem("
            f"'beasty.settings', JSON.stringify({{speed: '{speed}', {values}}}))"
        )
        page = context.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: take_message(message, complaints))
        page.on("request", lambda request: check_address(request.url, complaints, address))
        if prepare is not None:
            prepare(page)
        page.goto(f"{address}/{fragment}")
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert not complaints


def take_message(message, complaints: list[str]) -> None:
    if message.type == "error":
        complaints.append(message.text)


def check_address(url: str, complaints: list[str], address: str) -> None:
    if not url.startswith((address, address.replace("http", "ws"), "data:", "blob:")):
        complaints.append(f"the page asked for {url}")


def wait_until(condition, seconds: float = PATIENCE) -> None:
    """Waits for a condition that the page's content security policy lets nobody evaluate in it."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)
