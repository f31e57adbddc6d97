"""The twelve animals as drawings of our own, for every picture and page that shows a card.

`ANIMALS[species]` is a piece of SVG that fills a box of 100 by 100. It has no ids, styles, scripts
or references, so it can stand in any SVG, any number of times. Animals seen from the side look to
the left, where the gate is.
"""

from __future__ import annotations

import math

_INK = "#23272b"


def _circle(x: float, y: float, radius: float, fill: str) -> str:
    return f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}"/>'


def _ellipse(x: float, y: float, rx: float, ry: float, fill: str, turn: float = 0) -> str:
    """An ellipse, turned clockwise about its centre by degrees."""
    turned = f' transform="rotate({turn:g} {x:g} {y:g})"' if turn else ""
    return f'<ellipse cx="{x:g}" cy="{y:g}" rx="{rx:g}" ry="{ry:g}" fill="{fill}"{turned}/>'


def _path(data: str, fill: str) -> str:
    return f'<path d="{data}" fill="{fill}"/>'


def _line(data: str, colour: str, width: float) -> str:
    return (
        f'<path d="{data}" fill="none" stroke="{colour}" stroke-width="{width:g}"'
        ' stroke-linecap="round" stroke-linejoin="round"/>'
    )


def _eye(x: float, y: float, radius: float = 4.5) -> str:
    shine = _circle(x - radius / 3, y - radius / 3, radius / 3, "#fff")
    return _circle(x, y, radius, _INK) + shine


def _ring(radius: float, count: int, size: float, fill: str) -> str:
    """Circles around the middle of the box."""
    angles = [2 * math.pi * number / count for number in range(count)]
    places = [(50 + radius * math.cos(angle), 52 + radius * math.sin(angle)) for angle in angles]
    return "".join(_circle(round(x, 1), round(y, 1), size, fill) for x, y in places)


_SKUNK = (
    _path("M60 92 Q98 84 94 44 Q92 14 70 8 Q84 30 74 50 Q68 66 58 74Z", _INK)
    + _path("M68 86 Q90 72 86 42 Q84 26 78 18 Q86 40 78 58 Q72 72 62 80Z", "#f4f4f0")
    + _circle(24, 36, 9, _INK)
    + _circle(62, 36, 9, _INK)
    + _circle(24, 37, 4.5, "#d98b94")
    + _circle(62, 37, 4.5, "#d98b94")
    + _path("M43 26 Q74 26 74 58 Q74 76 58 82 L43 92 L28 82 Q12 76 12 58 Q12 26 43 26Z", _INK)
    + _path("M43 26 Q52 26 50 44 L43 62 L36 44 Q34 26 43 26Z", "#f4f4f0")
    + _ellipse(26, 70, 9, 7, "#f4f4f0", 35)
    + _ellipse(60, 70, 9, 7, "#f4f4f0", -35)
    + _circle(29, 54, 6, "#f4f4f0")
    + _circle(57, 54, 6, "#f4f4f0")
    + _eye(30, 55, 4)
    + _eye(56, 55, 4)
    + _ellipse(43, 86, 6, 5, "#e58f9a")
)

_PARROT = (
    _path("M46 60 Q44 92 62 98 L92 98 Q98 62 78 40Z", "#2f9e57")
    + _path("M70 56 Q92 66 92 98 L76 98 Q82 76 66 66Z", "#2378b5")
    + _path("M60 16 Q70 2 84 6 Q76 12 74 20Z", "#c9302c")
    + _path("M66 22 Q80 12 92 20 Q82 24 78 30Z", "#c9302c")
    + _circle(56, 42, 30, "#dd3b34")
    + _path("M34 26 Q10 26 6 54 Q6 66 14 70 Q16 56 34 58Z", "#f2b53c")
    + _path("M20 62 Q22 76 36 74 Q40 68 36 58 L30 58 Q22 58 20 62Z", "#5a4a3c")
    + _circle(22, 38, 2, "#7a5a20")
    + _ellipse(52, 40, 14, 12, "#fbf3e4")
    + _eye(49, 40, 5.5)
)

_KANGAROO = (
    _ellipse(30, 26, 9, 25, "#b9763f", -12)
    + _ellipse(70, 26, 9, 25, "#b9763f", 12)
    + _ellipse(31, 29, 4.5, 17, "#eab9a0", -12)
    + _ellipse(69, 29, 4.5, 17, "#eab9a0", 12)
    + _path(
        "M50 34 Q78 34 76 58 Q74 70 66 78 Q64 97 50 97 Q36 97 34 78 Q26 70 24 58 Q22 34 50 34Z",
        "#c98a50",
    )
    + _ellipse(50, 82, 15, 13, "#f0d6b4")
    + _eye(35, 58, 5)
    + _eye(65, 58, 5)
    + _ellipse(50, 76, 8, 5.5, _INK)
    + _line("M50 81 V87 M43 89 Q50 94 57 89", "#6d4526", 2)
)

_MONKEY = (
    _circle(14, 52, 13, "#7a4b2a")
    + _circle(86, 52, 13, "#7a4b2a")
    + _circle(14, 52, 7.5, "#e9b98e")
    + _circle(86, 52, 7.5, "#e9b98e")
    + _circle(50, 48, 36, "#7a4b2a")
    + _path("M42 14 Q40 4 48 4 Q48 8 52 3 Q60 5 58 14Z", "#7a4b2a")
    + _circle(37, 46, 15, "#f0c9a0")
    + _circle(63, 46, 15, "#f0c9a0")
    + _ellipse(50, 69, 28, 22, "#f0c9a0")
    + _eye(38, 46, 5)
    + _eye(62, 46, 5)
    + _ellipse(46.5, 60, 1.8, 2.6, "#6d4526")
    + _ellipse(53.5, 60, 1.8, 2.6, "#6d4526")
    + _path("M33 70 Q50 76 67 70 Q64 86 50 86 Q36 86 33 70Z", "#8f3b34")
    + _path("M37 72.5 Q50 76 63 72.5 L62 76 Q50 80 38 76Z", "#fff")
)

_CHAMELEON = (
    _line("M78 66 Q96 66 95 82 Q93 95 81 94 Q71 91 74 82 Q78 77 83 81", "#5ea03a", 7)
    + _line("M40 70 L32 92 M34 94 H26 M66 72 L68 92 M70 94 H60", "#4d8a2e", 7)
    + _path(
        "M8 54 Q14 34 34 30 Q44 8 62 22 Q92 30 90 62 Q86 78 62 78 L30 74 Q8 70 8 54Z", "#79b84a"
    )
    + _path("M44 20 Q50 12 62 22 Q84 28 89 48 Q74 32 56 34Z", "#a7d267")
    + _ellipse(62, 58, 5, 11, "#a7d267", 20)
    + _ellipse(76, 56, 4, 9, "#a7d267", 20)
    + _circle(32, 46, 13, "#a7d267")
    + _circle(32, 46, 8.5, "#f3d55b")
    + _eye(30, 46, 4.5)
    + _line("M9 58 Q24 66 38 64", "#3c6e24", 2.5)
    + _circle(11, 50, 1.6, "#3c6e24")
)

_SEAL = (
    _path("M50 12 Q84 12 86 50 Q92 66 92 98 H8 Q8 66 14 50 Q16 12 50 12Z", "#7c95ab")
    + _path("M26 98 Q28 78 50 78 Q72 78 74 98Z", "#a9bccb")
    + _circle(31, 42, 8.5, _INK)
    + _circle(69, 42, 8.5, _INK)
    + _circle(28, 39, 3, "#fff")
    + _circle(66, 39, 3, "#fff")
    + _circle(39, 66, 14, "#d5e0e8")
    + _circle(61, 66, 14, "#d5e0e8")
    + _path("M40 52 Q50 46 60 52 Q58 62 50 64 Q42 62 40 52Z", _INK)
    + _line("M50 62 V70 M43 74 Q50 77 57 74", _INK, 2)
    + _line("M30 64 L6 58 M30 69 L5 70 M31 74 L8 82", "#f4f7f9", 1.6)
    + _line("M70 64 L94 58 M70 69 L95 70 M69 74 L92 82", "#f4f7f9", 1.6)
)

_ZEBRA = (
    _path("M22 34 Q6 18 14 6 Q30 10 36 28Z", "#f6f6f2")
    + _path("M78 34 Q94 18 86 6 Q70 10 64 28Z", "#f6f6f2")
    + _path("M22 28 Q14 18 17 11 Q26 16 30 26Z", "#4a4f55")
    + _path("M78 28 Q86 18 83 11 Q74 16 70 26Z", "#4a4f55")
    + _path("M50 16 Q82 16 80 48 L70 82 Q66 98 50 98 Q34 98 30 82 L20 48 Q18 16 50 16Z", "#f6f6f2")
    + _path("M38 24 L41 3 L46 10 L50 1 L54 10 L59 3 L62 24 Q50 30 38 24Z", _INK)
    + _path("M50 30 L55 42 L50 54 L45 42Z", _INK)
    + _line("M37 26 L40 40 M63 26 L60 40", _INK, 4.5)
    + _line("M21 38 L31 42 M79 38 L69 42 M21 54 L33 57 M79 54 L67 57", _INK, 4.5)
    + _line("M26 67 L38 66 M74 67 L62 66 M44 64 L50 60 L56 64", _INK, 4.5)
    + _path("M31 78 Q50 70 69 78 Q70 98 50 98 Q30 98 31 78Z", "#4a4f55")
    + _ellipse(42, 85, 3, 4, _INK, 20)
    + _ellipse(58, 85, 3, 4, _INK, -20)
    + _eye(32, 49, 5)
    + _eye(68, 49, 5)
)

_GIRAFFE = (
    _line("M41 28 L38 8 M59 28 L62 8", "#d79a35", 6)
    + _circle(38, 8, 5.5, "#7b4a1e")
    + _circle(62, 8, 5.5, "#7b4a1e")
    + _path("M30 36 Q8 34 4 22 Q22 16 36 28Z", "#efbf55")
    + _path("M70 36 Q92 34 96 22 Q78 16 64 28Z", "#efbf55")
    + _path("M28 33 Q14 31 11 25 Q22 22 32 29Z", "#e2a08a")
    + _path("M72 33 Q86 31 89 25 Q78 22 68 29Z", "#e2a08a")
    + _path("M50 20 Q76 20 74 46 L66 72 H34 L26 46 Q24 20 50 20Z", "#efbf55")
    + _path("M44 24 L54 23 L57 33 L50 39 L43 33Z", "#b4702a")
    + _path("M31 28 L38 27 L37 36 L29 38Z M69 28 L62 27 L63 36 L71 38Z", "#b4702a")
    + _path("M33 58 L41 55 L43 65 L36 68Z M67 58 L59 55 L57 65 L64 68Z", "#b4702a")
    + _ellipse(50, 80, 23, 18, "#f8e3b6")
    + _ellipse(42, 76, 2.6, 4, "#7b4a1e", 20)
    + _ellipse(58, 76, 2.6, 4, "#7b4a1e", -20)
    + _line("M40 88 Q50 93 60 88", "#7b4a1e", 2.2)
    + _eye(33, 47, 5.5)
    + _eye(67, 47, 5.5)
)

_SNAKE = (
    _line(
        "M93 70 Q97 88 80 88 H34 Q16 88 16 73 Q16 58 34 58 H66 Q82 58 82 44 Q82 28 64 28 H38",
        "#8b5fb0",
        16,
    )
    + _line("M80 88 H34 Q16 88 16 73 Q16 58 34 58 H66 Q82 58 82 44 Q82 28 64 28 H50", "#e7c85a", 4)
    + _line("M20 30 H6 M8 30 L2 25 M8 30 L2 35", "#d33f49", 2.5)
    + _path("M16 28 Q18 14 36 13 Q54 14 54 28 Q54 42 36 43 Q20 42 16 28Z", "#8b5fb0")
    + _circle(34, 23, 6.5, "#fff6d6")
    + _ellipse(33, 23, 2.2, 5, _INK)
    + _circle(20, 27, 1.5, "#4d2f68")
    + _line("M18 33 Q28 38 38 36", "#4d2f68", 2)
)

_CROCODILE = (
    _path("M14 62 L60 66 L96 62 V84 Q82 92 62 86 L16 76 Q8 72 14 62Z", "#4b8a3a")
    + _path("M14 56 L62 62 L70 70 L16 68Z", "#8d2f35")
    + _path("M18 56 L22 65 L27 57 L31 66 L36 58 L40 67 L45 59 L49 68 L54 60Z", "#fff")
    + _path("M20 71 L24 63 L29 72 L34 65 L39 73 L44 66 L49 73Z", "#fff")
    + _path(
        "M5 50 Q6 38 18 40 L50 38 Q54 20 68 22 Q80 26 82 38"
        " Q97 44 97 66 Q78 72 62 64 L10 58 Q4 56 5 50Z",
        "#61a548",
    )
    + _path("M82 38 L86 30 L90 44 L96 42 L97 56Z", "#4b8a3a")
    + _circle(66, 33, 9.5, "#f3e27a")
    + _ellipse(64, 33, 2.6, 7, _INK)
    + _ellipse(14, 45, 2.6, 2, "#2f5a24")
    + _circle(78, 54, 2.4, "#4b8a3a")
    + _circle(86, 58, 2.4, "#4b8a3a")
    + _circle(72, 59, 2.4, "#4b8a3a")
)

_HIPPO = (
    _circle(24, 20, 10, "#857fa3")
    + _circle(76, 20, 10, "#857fa3")
    + _circle(24, 21, 5, "#d9a3b4")
    + _circle(76, 21, 5, "#d9a3b4")
    + _path("M50 14 Q80 14 80 44 L84 66 H16 L20 44 Q20 14 50 14Z", "#938db0")
    + _path("M50 50 Q96 48 95 74 Q94 96 50 96 Q6 96 5 74 Q4 48 50 50Z", "#aba6c6")
    + _ellipse(33, 62, 5, 6.5, "#5f5a7d", 20)
    + _ellipse(67, 62, 5, 6.5, "#5f5a7d", -20)
    + _line("M18 78 Q50 90 82 78", "#5f5a7d", 2.6)
    + _path("M31 83 L33 92 Q37 94 40 92 L41 85Z M69 83 L67 92 Q63 94 60 92 L59 85Z", "#fffdf2")
    + _circle(36, 34, 7.5, "#fff")
    + _circle(64, 34, 7.5, "#fff")
    + _eye(36, 35, 4.5)
    + _eye(64, 35, 4.5)
)

_LION = (
    _ring(36, 13, 12, "#9c4f1c")
    + _circle(50, 52, 38, "#b8641f")
    + _circle(27, 29, 9, "#efb448")
    + _circle(73, 29, 9, "#efb448")
    + _circle(27, 30, 4.5, "#c97b3a")
    + _circle(73, 30, 4.5, "#c97b3a")
    + _circle(50, 52, 30, "#f2bb52")
    + _eye(38, 47, 4.8)
    + _eye(62, 47, 4.8)
    + _line("M32 38 L42 40 M68 38 L58 40", "#9c4f1c", 3)
    + _circle(42.5, 66, 10.5, "#fbe6bd")
    + _circle(57.5, 66, 10.5, "#fbe6bd")
    + _ellipse(50, 77, 6, 5, "#fbe6bd")
    + _path("M42 55 H58 L51.5 63 Q50 64 48.5 63Z", "#5d3316")
    + _line("M50 63 V69 M43 71 Q47 74 50 69 Q53 74 57 71", "#5d3316", 2)
)

ANIMALS: dict[str, str] = {
    "skunk": _SKUNK,
    "parrot": _PARROT,
    "kangaroo": _KANGAROO,
    "monkey": _MONKEY,
    "chameleon": _CHAMELEON,
    "seal": _SEAL,
    "zebra": _ZEBRA,
    "giraffe": _GIRAFFE,
    "snake": _SNAKE,
    "crocodile": _CROCODILE,
    "hippo": _HIPPO,
    "lion": _LION,
}
"""By species, in order of strength."""
