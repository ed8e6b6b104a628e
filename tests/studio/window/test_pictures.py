"""Pictures of a drawing: each format shows what the canvas shows, of all, of a cell, of what is selected."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from rnnstudio.design.design import MAIN
from rnnstudio.design.edits import SetTitle
from rnnstudio.studio import theme
from rnnstudio.studio.dialogs.picture import PictureDialog, Wanted
from rnnstudio.studio.pictures import as_image, picture
from rnnstudio.studio.tikz import _T1, escaped
from tests.studio.window.hands import CTRL, SHIFT, Hands


def exported(hands: Hands, path: Path, **wanted) -> Path:
    hands.window.ask_picture = lambda: Wanted(path, **wanted)
    assert hands.window.export_picture()
    return path


def texts(path: Path) -> set[str]:
    tree = ElementTree.parse(path)
    return {"".join(e.itertext()).strip() for e in tree.iter() if e.tag.endswith("}text")}


def test_an_svg_holds_every_name_of_the_drawing(hands, tmp_path):
    shown = texts(exported(hands, tmp_path / "all.svg"))
    assert {"characters", "Embedding", "LSTM", "readout", "target", "x", "h", "c"} <= shown


def test_the_selection_alone_is_in_its_picture(hands, tmp_path):
    hands.click(hands.node("lstm"))
    hands.click(hands.node("readout"), keys=SHIFT)
    shown = texts(exported(hands, tmp_path / "two.svg", selection=True))
    assert {"LSTM", "readout"} <= shown
    assert not {"characters", "Embedding", "target"} & shown
    assert len(picture(hands.view.canvas, selection=True).items) == 3  # and the wire between them


def test_a_cell_that_is_not_shown_can_be_exported(hands, tmp_path):
    shown = texts(exported(hands, tmp_path / "cell.svg", graph="LSTM"))
    assert "Embedding" not in shown
    assert "σ" in shown
    assert hands.session.focus.graph == MAIN


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_a_png_has_the_pixels_that_were_asked_for(hands, tmp_path, scale):
    image = QImage(str(exported(hands, tmp_path / "all.png", scale=scale, margin=30.0)))
    area = picture(hands.view.canvas, margin=30.0).area
    assert (image.width(), image.height()) == (round(area.width() * scale), round(area.height() * scale))
    assert image.pixelColor(3, 3) == theme.current().color("canvas")
    inner = picture(hands.view.canvas, margin=0.0).area
    assert area == inner.adjusted(-30, -30, 30, 30)


def test_texts_of_wires_stand_in_a_picture_where_the_canvas_has_them(hands):
    hands.session.focus.enter("LSTM", "lstm")
    lines = hands.view.canvas.wires.values()
    assert len(lines) > 10
    for line in lines:
        assert line.plain().label_box("[batch, 9]") == line.label_box("[batch, 9]")


def test_a_picture_shows_no_selection(hands):
    plain = as_image(picture(hands.view.canvas))
    hands.window.select_all_action.trigger()
    assert as_image(picture(hands.view.canvas)) == plain


def test_a_picture_wears_what_the_window_wears(hands, tmp_path):
    worn = theme.current()
    first = QImage(str(exported(hands, tmp_path / "a.png")))
    hands.window.toggle_theme()
    try:
        second = QImage(str(exported(hands, tmp_path / "b.png")))
        assert theme.current() != worn
        assert second.pixelColor(2, 2) == theme.current().color("canvas") != first.pixelColor(2, 2)
    finally:
        hands.window.toggle_theme()


def test_a_pdf_is_one_page_as_large_as_the_drawing(hands, tmp_path):
    content = exported(hands, tmp_path / "all.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    box = re.search(rb"/MediaBox \[([\d. ]+)\]", content)
    assert box is not None
    sides = [float(n) for n in box[1].split()][2:]
    area = picture(hands.view.canvas).area
    assert sides == pytest.approx([area.width() * 0.75, area.height() * 0.75], abs=1.0)
    assert len(re.findall(rb"/Type\s*/Page\b", content)) == 1


@pytest.mark.parametrize("graph", [MAIN, "LSTM"])
def test_tikz_is_whole_and_compiles(hands, tmp_path, graph):
    hands.session.do(SetTitle("readout", "50 % of {x_1} & σ → 字 #^~\\"))
    path = exported(hands, tmp_path / "all.tex", graph=graph)
    text = path.read_text()
    bare = re.sub(r"\\[{}\\]", "", text)
    assert bare.count("{") == bare.count("}")
    opened = re.findall(r"\\(begin|end)\{(\w+)\}", text)
    assert [name for what, name in opened if what == "begin"] == ["document", "tikzpicture", "scope"]
    assert [name for what, name in opened if what == "end"] == ["scope", "tikzpicture", "document"]
    assert all(letter <= "ÿ" or letter in _T1 for letter in text)
    with_scope = hands.session.design.graph_of(graph)
    assert text.count(r"line cap=round") == len(with_scope.wires)
    if (pdflatex := shutil.which("pdflatex")) is None:
        return  # what can be said without it is said
    told = subprocess.run(
        [pdflatex, "-interaction=nonstopmode", "-halt-on-error", path.name],
        cwd=tmp_path, capture_output=True, text=True, errors="replace",
    )  # fmt: skip
    assert told.returncode == 0, told.stdout[-2000:]
    assert "(1 page," in told.stdout
    assert "Rerun" not in told.stdout  # one run is enough: nothing waits for what the first one wrote down
    assert "overfull" not in told.stdout.lower()


def test_text_is_escaped_for_latex():
    assert escaped("ab_cd & 50 %") == r"ab\_cd \& 50 \%"
    assert escaped("σ·x²") == r"$\sigma$$\cdot$x$^2$"
    assert escaped("字 é ő") == r"\letter{5B57} é ő"
    assert escaped("ψ Ω Α") == r"$\psi$ $\Omega$ $\mathrm{A}$"
    assert escaped("W_f x + hₜ₋₁") == r"W$_{\mathsf{f}}$ x + h$_{\mathsf{t-1}}$"
    assert "?" not in escaped("".join(map(chr, (*range(0x100, 0x2000), *range(0x2100, 0x3000)))).replace(";", ""))


def test_any_letter_compiles(hands, tmp_path):
    hands.session.do(SetTitle("readout", "ő 字 Д ψ ₂"))
    hands.session.do(SetTitle("lstm", "W_f ⊙ hₜ₋₁"))
    path = exported(hands, tmp_path / "all.tex")
    if (pdflatex := shutil.which("pdflatex")) is None:
        return  # what can be said without it is said above
    told = subprocess.run(
        [pdflatex, "-interaction=nonstopmode", "-halt-on-error", path.name],
        cwd=tmp_path, capture_output=True, text=True, errors="replace",
    )  # fmt: skip
    assert told.returncode == 0, told.stdout[-2000:]


def test_ctrl_shift_c_copies_a_picture(hands):
    hands.click(hands.node("lstm"))
    hands.key(Qt.Key.Key_C, CTRL | SHIFT)
    mime = QApplication.clipboard().mimeData()
    assert mime.hasImage()
    area = picture(hands.view.canvas, selection=True).area
    image = QApplication.clipboard().image()
    assert image.width() == round(area.width() * 2)
    assert b"LSTM" in bytes(mime.data("image/svg+xml").data())


def test_what_cannot_be_pictured_is_told_and_nothing_is_written(hands, tmp_path):
    told = []
    hands.session.failed.connect(told.append)
    for path, wanted, why in (
        (tmp_path / "a.bmp", {}, "no picture is written"),
        (tmp_path / "a.png", {"scale": 200.0}, "too large"),
        (tmp_path / "a.svg", {"selection": True}, "nothing is selected"),
        (tmp_path / "none" / "a.svg", {}, "Cannot write"),
    ):
        hands.session.focus.select()
        hands.window.ask_picture = lambda path=path, wanted=wanted: Wanted(path, **wanted)
        assert not hands.window.export_picture()
        assert why in str(told[-1])
    assert len(told) == 4
    assert list(tmp_path.iterdir()) == []


def test_the_dialog_begins_with_what_is_seen(hands, tmp_path):
    hands.click(hands.node("lstm"))
    dialog = PictureDialog(hands.session, hands.window)
    assert dialog.wanted(tmp_path / "a") == Wanted(tmp_path / "a.svg", MAIN, True)
    dialog.deleteLater()
    hands.session.focus.enter("LSTM", "lstm")
    dialog = PictureDialog(hands.session, hands.window)
    dialog.kind.setCurrentIndex(dialog.kind.findData(".png"))
    dialog.scale.setCurrentIndex(3)
    assert dialog.wanted(tmp_path / "a") == Wanted(tmp_path / "a.png", "LSTM", False, scale=4.0)
    dialog.deleteLater()
