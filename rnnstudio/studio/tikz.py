"""A drawing as TikZ, for papers: the canvas's geometry in LaTeX's own lines and letters.

The file compiles as it is, in one run of pdflatex, lualatex or xelatex with the package tikz; the picture in it can be
copied into another. Letters that pdflatex has no font for are written by their number there, and as they are elsewhere.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from unicodedata import normalize

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainterPath

from . import theme
from .canvas.frame_item import FrameItem
from .canvas.hidden_wires import named, pieces
from .canvas.muted import way
from .canvas.node_item import NodeItem
from .canvas.shape import HEADER
from .canvas.wire_item import WireItem
from .subscripts import runs

UNIT = 0.75
"""Points of a unit of the scene (bp: 72 to the inch, as in SVG and PDF)."""
_MATH = {
    "σ": r"\sigma", "Σ": r"\Sigma", "∑": r"\sum", "×": r"\times", "·": r"\cdot", "⊙": r"\odot", "⊗": r"\otimes",
    "⊕": r"\oplus", "−": "-", "→": r"\to", "←": r"\leftarrow", "≤": r"\le", "≥": r"\ge", "∘": r"\circ",
    "■": r"\blacksquare", "∥": r"\parallel", "‖": r"\|", "α": r"\alpha", "β": r"\beta", "γ": r"\gamma",
    "δ": r"\delta", "ε": r"\epsilon", "θ": r"\theta", "λ": r"\lambda", "μ": r"\mu", "π": r"\pi", "τ": r"\tau",
    "φ": r"\varphi", "ω": r"\omega", "Δ": r"\Delta", "∂": r"\partial", "∞": r"\infty", "√": r"\surd", "²": "^2",
    "∏": r"\prod", "⋅": r"\cdot", "±": r"\pm", "≈": r"\approx", "↺": r"\circlearrowleft", "⟲": r"\circlearrowleft",
}  # fmt: skip
_TEXT = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "…": r"\dots{}", "–": "--", "—": "---", "“": "``", "”": "''", "‘": "`", "’": "'",
    '"': "''", "[": "{[}", "]": "{]}", "\n": " ",
}  # fmt: skip


_T1 = "ĂăĄąĆćČčĎďĐđĘęĚěĞğİıĹĺĽľŁłŃńŇňŊŋŐőŒœŔŕŘřŚśŞşŠšŢţŤťŮůŰűŸŹźŻżŽž"
"""Letters beyond Latin-1 that the encoding T1 has."""
_LATIN_LOOKS = {
    "ALPHA": "A",
    "BETA": "B",
    "EPSILON": "E",
    "ZETA": "Z",
    "ETA": "H",
    "IOTA": "I",
    "KAPPA": "K",
    "MU": "M",
    "NU": "N",
    "OMICRON": "O",
    "RHO": "P",
    "TAU": "T",
    "UPSILON": "Y",
    "CHI": "X",
}
"""Greek capitals that look Latin, for which mathematics has no name of its own."""


def escaped(text: str) -> str:
    """Any text as LaTeX: symbols and Greek as mathematics, subscripts as such, other letters by their number."""
    return "".join(
        rf"$_{{\mathsf{{{_letters(part, math=True)}}}}}$" if below else _letters(part) for part, below in runs(text)
    )


def _letters(text: str, *, math: bool = False) -> str:
    found = []
    for letter in normalize("NFC", text):
        sign = _MATH.get(letter) or _greek(letter)
        if sign:
            found.append(sign if math else f"${sign}$")
        elif letter in _TEXT:
            found.append(_TEXT[letter])
        elif " " <= letter <= "~" or "À" <= letter <= "ÿ" or letter in _T1:
            found.append(letter)
        else:
            plain = "".join(c for c in normalize("NFKD", letter) if " " <= c <= "~")
            found.append("".join(_TEXT.get(c, c) for c in plain) or rf"\letter{{{ord(letter):04X}}}")
    return "".join(found)


def _greek(letter: str) -> str:
    """A Greek letter's name in mathematics, "" for another."""
    words = unicodedata.name(letter, "").split()
    if words[:1] != ["GREEK"] or len(words) != 4 or words[2] != "LETTER":
        return ""
    if words[1] == "CAPITAL":
        looks = _LATIN_LOOKS.get(words[3])
        return rf"\mathrm{{{looks}}}" if looks else rf"\{words[3].capitalize()}"
    return "o" if words[3] == "OMICRON" else rf"\{'lambda' if words[3] == 'LAMDA' else words[3].lower()}"


def document(items: Iterable[FrameItem | WireItem | NodeItem], area: QRectF, title: str = "") -> str:
    """A whole LaTeX file whose page is `area`, in scene units."""
    width, height = area.width() * UNIT, area.height() * UNIT
    lines = [
        f"% {' '.join(title.split())}" if title else "% A drawing of rnnstudio",
        r"\documentclass{article}",
        r"\usepackage{iftex}",
        r"\ifPDFTeX\usepackage[T1]{fontenc}\usepackage[utf8]{inputenc}",
        r"\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}",
        r"\newcommand{\letter}[1]{U+#1}\else\usepackage{fontspec}",
        r'\newcommand{\letter}[1]{\iffontchar\font"#1 \char"#1 \else U+#1\fi}\fi',
        r"\usepackage{amssymb}",
        r"\usepackage{tikz}",
        rf"\usepackage[paperwidth={width:.2f}bp,paperheight={height:.2f}bp,margin=0bp]{{geometry}}",
        r"\pagestyle{empty}\setlength{\parindent}{0pt}\setlength{\topskip}{0pt}\renewcommand{\familydefault}{\sfdefault}",
        *_colours(),
        r"\begin{document}%",
        r"\hbox to 0pt{\vbox to 0pt{%",
        rf"\begin{{tikzpicture}}[x={UNIT}bp,y=-{UNIT}bp,inner sep=0pt,line width=0.9bp]",
        rf"\useasboundingbox (0,0) rectangle ({area.width():.2f},{area.height():.2f});",
        rf"\fill[canvas] (0,0) rectangle ({area.width():.2f},{area.height():.2f});",
        rf"\begin{{scope}}[shift={{({-area.left():.2f},{-area.top():.2f})}}]",
    ]
    for item in items:
        if isinstance(item, FrameItem):
            lines += _frame(item)
        elif isinstance(item, WireItem):
            lines += _wire(item)
        else:
            lines += _node(item)
    return "\n".join((*lines, r"\end{scope}", r"\end{tikzpicture}\vss}\hss}", r"\end{document}", ""))


_ROLES = (
    *("canvas", "surface", "node", "border", "text", "muted", "faint", "real", "tokens", "loss", "any", "state"),
    *("data", "layers", "cells", "time", "trees", "pointwise", "losses", "cell"),
)


def _node_border() -> str:
    return theme.current().color("node_border").name()[1:].upper()


def _colours() -> list[str]:
    t = theme.current()
    named = [rf"\definecolor{{{role}}}{{HTML}}{{{t.color(role).name()[1:].upper()}}}" for role in _ROLES]
    return [*named, rf"\definecolor{{edge}}{{HTML}}{{{_node_border()}}}"]


def _family(name: str) -> str:
    """The colour of a family by its value, for families that plugins bring have names no colour has."""
    colour = theme.current().family(name)
    return f"{{rgb,255:red,{colour.red()};green,{colour.green()};blue,{colour.blue()}}}"


def _at(point: QPointF) -> str:
    return f"({point.x():.2f},{point.y():.2f})"


def _box(rect: QRectF, style: str, radius: float) -> str:
    command = rf"\filldraw[{style},rounded corners={radius * UNIT:.2f}bp]"
    return f"{command} {_at(rect.topLeft())} rectangle {_at(rect.bottomRight())};"


def _words(at: QPointF, text: str, anchor: str, size: float, colour: str = "muted", bold: bool = False) -> str:
    style = f"anchor={anchor},text={colour},{_font(size, bold)}"
    return rf"\node[{style}] at {_at(at)} {{{escaped(text)}}};"


def _font(size: float, bold: bool = False) -> str:
    face = r"\bfseries" if bold else ""
    return rf"font=\fontsize{{{size * UNIT:.1f}bp}}{{{size * UNIT * 1.2:.1f}bp}}\selectfont{face}"


def _frame(item: FrameItem) -> list[str]:
    rect = item.rect()
    colour = _family(item.frame.color) if item.frame.color else "border"
    drawn = [_box(rect, f"draw={colour},fill={colour},fill opacity=0.08,draw opacity=1", 10)]
    if item.frame.title:
        drawn.append(_words(rect.topLeft() + QPointF(12, 12), item.frame.title, "west", 12, bold=True))
    if item.frame.note:
        drawn.append(_words(rect.topLeft() + QPointF(12, 24), item.frame.note, "north west", 11))
    return drawn


def _wire(item: WireItem) -> list[str]:
    dash = ",dashed" if item.content == "any" and not item.state else ""
    colour, width = ("state", 1.95) if item.state else (item.content, 1.5)
    style = f"{colour},line width={width}bp,line cap=round{dash}"
    if item.hidden:
        ends = zip(pieces(item.path, item.stubs()), item.stubs(), item.ends_named, strict=True)
        return [
            line
            for piece, box, name in ends
            for line in (
                rf"\draw[{style}] {_at(piece.p1())} -- {_at(piece.p2())};",
                _box(box, f"draw={colour},fill=surface", box.height() / 2),
                _words(box.center(), named(name), "center", 11),
            )
        ]
    drawn = [rf"\draw[{style}] {_path(item.path)};"]
    if label := item.label(1.0):
        drawn.append(_words(item.label_box(label).center(), label, "center", 11))
    return drawn


def _path(path: QPainterPath) -> str:
    """Lines and cubic curves, as TikZ writes them."""
    kind = QPainterPath.ElementType
    elements = [path.elementAt(i) for i in range(path.elementCount())]
    found: list[str] = []
    place = 0
    while place < len(elements):
        element = elements[place]
        here = f"({element.x:.2f},{element.y:.2f})"
        if element.type == kind.CurveToElement:
            second, end = elements[place + 1], elements[place + 2]
            found.append(f".. controls {here} and ({second.x:.2f},{second.y:.2f}) .. ({end.x:.2f},{end.y:.2f})")
            place += 3
        else:
            found.append(here if element.type == kind.MoveToElement else f"-- {here}")
            place += 1
    return " ".join(found)


def _node(item: NodeItem) -> list[str]:
    shape, look = item.shape_, item.look
    rect = shape.rect.translated(item.pos())
    family = _family(look.family) if look.known else "faint"
    drawn: list[str] = []
    if look.dot:
        colour = item.contents.get((False, "out"), "any")
        drawn.append(rf"\fill[{colour}] {_at(item.pos())} circle ({5.5 * UNIT:.2f}bp);")
    elif shape.compact:
        radius = 5.0 if look.square else min(rect.width(), rect.height()) / 2
        drawn.append(_box(rect, "draw=edge,fill=node", radius - 0.5))
        if look.square:
            drawn.append(_box(rect.adjusted(6, 6, -6, -6), "draw=text,fill=text", 2))
        else:
            drawn.append(_box(rect.adjusted(2, 2, -2, -2), f"draw=none,fill={family},fill opacity=0.2", radius - 2.5))
            size = 15 if len(look.symbol) <= 2 else 12
            drawn.append(_words(rect.center(), look.symbol, "center", size, "text", True))
    else:
        if look.cell:
            drawn.append(_box(rect.adjusted(-3.5, -3.5, 3.5, 3.5), f"draw={family},fill=node", 10))
        drawn.append(_box(rect, "draw=edge,fill=node", 7))
        head = rect.height() if shape.folded else HEADER
        strip = QRectF(rect.left(), rect.top(), rect.width(), head)
        drawn.append(_box(strip, f"draw=none,fill={family},fill opacity=0.2", 7))
        middle = rect.top() + head / 2
        drawn.append(_words(QPointF(rect.left() + 12, middle), shape.title, "west", 12, "text", True))
        if shape.title_value:
            drawn.append(_words(QPointF(rect.right() - 9, middle), shape.title_value, "east", 11))
        for name, place in () if shape.folded else shape.inputs.items():
            drawn.append(_words(item.pos() + place + QPointF(11, 0), name, "west", 11))
        for name, place in () if shape.folded else shape.outputs.items():
            shown = shape.output_value if len(shape.outputs) == 1 and name == "out" else name
            if shown:
                drawn.append(_words(item.pos() + place - QPointF(11, 0), shown, "east", 11))
    if look.muted:
        ways = (way(shape.inputs[i], shape.outputs[o]).translated(item.pos()) for o, i in look.passing)
        drawn = [r"\begin{scope}[opacity=0.34,transparency group]", *drawn, r"\end{scope}"]
        drawn += [rf"\draw[muted,line width=1.8bp] {_path(path)};" for path in ways]
    if shape.caption:
        below = QPointF(rect.center().x() + (1 if shape.aside else 0), rect.bottom() + 9)
        drawn.append(_words(below, shape.caption, "west" if shape.aside else "center", 11))
    return drawn + ([] if look.dot else _ports(item))


def _ports(item: NodeItem) -> list[str]:
    optional = {p.name for p in item.look.inputs if p.optional}
    drawn = []
    for is_input, places in ((True, item.shape_.inputs), (False, item.shape_.outputs)):
        for name, place in places.items():
            colour = item.contents.get((is_input, name), "any")
            fill = "node" if is_input and name in optional else colour
            at = item.pos() + place
            style = f"draw={colour},fill={fill}"
            if colour == "tokens":
                drawn.append(_box(QRectF(at - QPointF(4.5, 4.5), at + QPointF(4.5, 4.5)), style, 1.5))
            elif colour == "loss":
                corners = " -- ".join(_at(at + QPointF(x, y)) for x, y in ((0, -6), (6, 0), (0, 6), (-6, 0)))
                drawn.append(rf"\filldraw[{style}] {corners} -- cycle;")
            else:
                drawn.append(rf"\filldraw[{style}] {_at(at)} circle ({5 * UNIT:.2f}bp);")
    return drawn
