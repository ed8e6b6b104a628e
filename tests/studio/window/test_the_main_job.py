"""The main job, start to end, in one real window: draw, undo, load data, train, watch, stop, export, open again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rnnstudio.design.design import Design, Var
from rnnstudio.design.edits import Compound, SetParam, SetTraining
from rnnstudio.design.storage import dumps
from rnnstudio.studio.dialogs.export import ExportDialog
from rnnstudio.studio.window import MainWindow
from tests.studio.window.hands import Hands

SENTENCE = "the quick brown fox jumps over the lazy dog and runs away from it. "
WIRES = (
    ("token_input.out", "embedding.input"),
    ("embedding.out", "gru.x"),
    ("gru.h", "linear.input"),
    ("linear.out", "cross_entropy.prediction"),
    ("token_target.out", "cross_entropy.target"),
)


def test_the_main_job_in_a_real_window(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    hands = Hands(window)
    window.session.new(Design("mine"))
    centre = window.view.viewport().rect().center()
    offers = ("kind:TokenInput", "kind:Embedding", "cell:GRU", "kind:Linear", "kind:CrossEntropy", "kind:TokenTarget")
    places = [centre + QPoint(-380 + 150 * i, 0) for i in range(5)] + [centre + QPoint(60, 130)]
    for offer, place in zip(offers, places, strict=True):
        hands.drop(offer, place)
    assert len(hands.graph.nodes) == 6
    for source, target in WIRES:
        hands.drag(hands.port(source, False), hands.port(target, True))
    assert {(str(w.source), str(w.target)) for w in hands.graph.wires} == set(WIRES)

    hands.view.setFocus()
    hands.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert len(hands.graph.wires) == 4
    hands.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert len(hands.graph.wires) == 5

    text = tmp_path / "fox.txt"
    text.write_text(SENTENCE * 120, encoding="utf-8")
    live = window.live.fill()
    data = window.docks["data"].widget()
    with qtbot.waitSignal(data.looked):
        data.open_file(text)
    data.use()
    assert window.session.design.data is not None
    sizes = Compound((SetParam("linear", "units", Var("next_size")), SetParam("gru", "units", 16)))
    small = {"batch_size": 4, "chunk": 25, "epochs": 500, "validate_every": 10, "probe_seconds": 0.05, "threads": 1}
    assert window.session.do(Compound((sizes, SetTraining({**small, "sample_length": 10}))))
    assert window.session.errors == ()
    design = tmp_path / "mine.rnn"
    assert window.session.save_as(design)

    window.train_action.trigger()
    qtbot.waitUntil(lambda: len(live.curves) >= 30 and len(live.curves.validation_loss) > 1)
    assert live.curves.loss[-1] < live.curves.loss[0]
    for key in ("loss", "gates", "gradients", "samples"):
        window.show_dock(key)
        QApplication.processEvents()
    window.stop_action.trigger()
    qtbot.waitUntil(lambda: live.state == "idle")
    run = live.run_folder

    dialog = ExportDialog(window.session, live, window)
    qtbot.addWidget(dialog)
    dialog.path.setText(str(tmp_path / "fox.py"))
    with qtbot.waitSignal(dialog.exported):
        dialog.start()
    code = "import json, fox; m, d = fox.load(); print(json.dumps([d['design'], fox.write('the ', 8, 0)]))"
    alone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    name, written = json.loads(alone.stdout)
    assert name == "mine"
    assert written.startswith("the ")
    assert len(written) == 12

    before = dumps(window.session.design)
    window.session.new(Design())
    assert window.session.open(design)
    assert dumps(window.session.design) == before
    assert run is not None
    assert (run / "checkpoints").is_dir()
