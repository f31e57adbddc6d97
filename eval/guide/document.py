"""The guide as a document of chapters, and its Markdown.

Texts may hold `code`, **bold** and [links](target) of Markdown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eval.guide.figures import GENERATOR


@dataclass(frozen=True)
class Paragraph:
    """Some sentences."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list, with numbers or without."""

    items: Sequence[str]
    numbered: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
      columns: the headings.
      rows: the cells.
      texts: the columns that hold texts, which are aligned to the left.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: Sequence[int] = (0,)


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
      name: the file's name without its ending.
      svg: the text of the SVG file.
      alternative: what it shows, for those who do not see it.
    """

    name: str
    svg: str
    alternative: str


@dataclass(frozen=True)
class Heading:
    """A heading within a chapter."""

    text: str


@dataclass(frozen=True)
class Lookup:
    """Where the page lets its reader choose a hand; the Markdown says that the page has it."""

    text: str


Block = Paragraph | Bullets | Table | Picture | Heading | Lookup


@dataclass(frozen=True)
class Chapter:
    """A chapter with its heading."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """The whole guide.

    Attributes:
      title: its title.
      introduction: what stands before the table of contents.
      chapters: the chapters, in their order.
    """

    title: str
    introduction: Sequence[Block]
    chapters: Sequence[Chapter]

    @property
    def pictures(self) -> list[Picture]:
        blocks = [block for chapter in self.chapters for block in chapter.blocks]
        return [block for block in blocks if isinstance(block, Picture)]


def anchor(title: str) -> str:
    """The anchor that GitHub gives to a heading."""
    kept = "".join(sign for sign in title.lower() if sign.isalnum() or sign in " -_")
    return kept.replace(" ", "-")


def as_markdown(document: Document, pictures: str) -> str:
    """The document as Markdown.

    Args:
      document: the document.
      pictures: the folder of its pictures, from the file's own folder.
    """
    parts = [f"<!-- {GENERATOR} -->\n\n# {document.title}"]
    parts += [_markdown(block, pictures) for block in document.introduction]
    contents = [f"[{chapter.title}](#{anchor(chapter.title)})" for chapter in document.chapters]
    parts.append(_markdown(Bullets(contents), pictures))
    for chapter in document.chapters:
        parts.append(f"## {chapter.title}")
        parts += [_markdown(block, pictures) for block in chapter.blocks]
    return "\n\n".join(parts) + "\n"


def _markdown(block: Block, pictures: str) -> str:
    match block:
        case Paragraph(text) | Lookup(text):
            return text
        case Heading(text):
            return f"### {text}"
        case Bullets(items, numbered):
            return "\n".join(
                f"{f'{place}.' if numbered else '-'} {item}"
                for place, item in enumerate(items, start=1)
            )
        case Picture(name, _, alternative):
            return f"![{alternative}]({pictures}/{name}.svg)"
        case Table(columns, rows, texts):
            rule = ["---" if place in texts else "---:" for place in range(len(columns))]
            return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, rule, *rows))
