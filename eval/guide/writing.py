"""The guide's files: Markdown with its pictures, the page, and the figures they are made from."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from bb_jax.errors import EvaluationError
from bb_jax.files import check_writable, named_errors, read_whole, write_whole
from eval.guide.chapters.animals import (
    choices_chapter,
    queue_chapter,
    timing_chapter,
    worth_chapter,
)
from eval.guide.chapters.openings import openings_chapter, replies_chapter
from eval.guide.chapters.opponents import mistakes_chapter, seats_chapter
from eval.guide.chapters.positions import positions_chapter
from eval.guide.chapters.summary import introduction, summary_chapter, trust_chapter
from eval.guide.document import Document, as_markdown
from eval.guide.figures import GENERATOR, Figures
from eval.guide.page import render_page

MARKDOWN, PAGE, FIGURES = "strategy.md", "strategy.html", "strategy.json"
#: The folder of the pictures, beside the Markdown.
PICTURES = "pictures/strategy"


def make_document(figures: Figures) -> Document:
    """The guide, from its figures alone."""
    return Document(
        title="Strategy, measured",
        introduction=introduction(figures, FIGURES),
        chapters=[
            summary_chapter(figures),
            timing_chapter(figures),
            queue_chapter(figures),
            worth_chapter(figures),
            choices_chapter(figures),
            openings_chapter(figures),
            replies_chapter(figures),
            seats_chapter(figures),
            positions_chapter(figures),
            mistakes_chapter(figures),
            trust_chapter(figures),
        ],
    )


def check_folder(folder: Path) -> None:
    """Refuses a folder that cannot be written to, or whose files are not a guide's.

    Raises:
      EvaluationError: a file would be overwritten that is not a guide.
      FileError: a file cannot be written.
    """
    with named_errors(folder):
        (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    for name in (MARKDOWN, PAGE, FIGURES):
        path = folder / name
        with named_errors(path, "read", EvaluationError):
            ours = not path.exists() or GENERATOR.encode() in read_whole(path, 4096)
        if not ours:
            raise EvaluationError(f"{path} is not a guide; choose another folder with --out")
        check_writable(path)


def read_figures(path: Path) -> Figures:
    """The figures that `write_guide` has written.

    Raises:
      EvaluationError: the file cannot be read, or does not hold the figures of a guide.
    """
    with named_errors(path, "read", EvaluationError):
        content = read_whole(path)
    try:
        return Figures.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "its beginning"
        raise EvaluationError(
            f"{path} does not hold the figures of a guide: at {where}, {first['msg']}"
        ) from error


def write_guide(figures: Figures, folder: Path) -> None:
    """Writes the figures, the pictures, the Markdown and the page.

    Raises:
      FileError: a file cannot be written.
    """
    with named_errors(folder):
        (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    write_whole(folder / FIGURES, figures.model_dump_json(by_alias=True).encode() + b"\n")
    document = make_document(figures)
    for picture in document.pictures:
        write_whole(folder / PICTURES / f"{picture.name}.svg", picture.svg.encode())
    write_whole(folder / MARKDOWN, as_markdown(document, PICTURES).encode())
    write_whole(folder / PAGE, render_page(document, figures).encode())
