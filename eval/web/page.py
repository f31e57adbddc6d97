"""The files of the page, read once at the start; the page is completed with what is offered."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable

from eval.games.animal_rules import RULES
from eval.games.opponents import Offer
from eval.pictures.animals import ANIMALS
from eval.web.views import animals_json, offer_json

_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
_PAGE = "index.html"


@dataclass(frozen=True)
class File:
    """A file of the page.

    Attributes:
      content: its bytes.
      kind: its media type.
      etag: differs between contents.
      zipped: the bytes compressed; None where that saves nothing.
    """

    content: bytes
    kind: str

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()[:20]}"'

    @property
    def zipped(self) -> bytes | None:
        return self._zipped

    def __post_init__(self) -> None:
        zipped = gzip.compress(self.content, 6, mtime=0)
        object.__setattr__(self, "_zipped", zipped if len(zipped) < len(self.content) else None)

    _zipped: bytes | None = None


def load_files(offers: Sequence[Offer]) -> dict[str, File]:
    """Every file of the page by its path."""
    found = {}
    for entry in _entries(files("eval.web") / "static"):
        kind = _KINDS.get(f".{entry.name.rpartition('.')[2]}")
        if kind is not None:
            found[f"/{entry.name}"] = File(entry.read_bytes(), kind)
    page = found.pop(f"/{_PAGE}").content.decode()
    page = page.replace("<!-- animals -->", _sprite()).replace("<!-- facts -->", _facts(offers))
    found["/"] = File(page.encode(), _KINDS[".html"])
    return found


def _entries(folder: Traversable) -> Iterable[Traversable]:
    return (entry for entry in folder.iterdir() if entry.is_file())


def _sprite() -> str:
    """The animals as symbols that the page refers to by `#animal-lion` and so on."""
    symbols = "".join(
        f'<symbol id="animal-{escape(name)}" viewBox="0 0 100 100">{drawing}</symbol>'
        for name, drawing in ANIMALS.items()
    )
    return f'<svg width="0" height="0" aria-hidden="true" class="sprite">{symbols}</svg>'


def _facts(offers: Sequence[Offer]) -> str:
    """The animals and the opponents as JSON inside the page."""
    facts = {
        "animals": animals_json(RULES),
        "opponents": [offer_json(offer) for offer in offers],
    }
    # "<" would end the element that holds it.
    return json.dumps(facts, separators=(",", ":")).replace("<", "\\u003c")
