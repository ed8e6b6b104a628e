"""The form of the training settings, made from the settings record itself: a field added there appears here."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from PySide6.QtWidgets import QCheckBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from rnnstudio.design.edits import SetTraining
from rnnstudio.design.errors import StudioError
from rnnstudio.design.history import Change
from rnnstudio.training.requests import LIVE_SETTINGS
from rnnstudio.training.settings import TrainingSettings, idle_settings, settings_from

from ..live import Live
from ..session import Session
from .forms import Combo, Entry, Fold, align_labels, form_of, note, sentence, set_role

REMARKS = {"carry": "SeesItsChunk"}
"""Setting → the hint of the check that stands below it while it is on."""

ESSENTIALS = ("epochs", "batch_size", "chunk", "carry", "optimiser", "learning_rate", "clip_norm", "seed")


class SettingsForm(QWidget):
    """One input a setting. An edit is a SetTraining, undone like any; a wrong value shows why and changes nothing."""

    def __init__(self, session: Session, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.live = live
        self.inputs: dict[str, QWidget] = {}
        self.labels: dict[str, QLabel] = {}
        self.rows: dict[str, QFormLayout] = {}
        self.reasons: dict[str, QLabel] = {}
        self.remarks: dict[str, QLabel] = {}
        self.hint = note("What is greyed takes effect with the next run, everything else at once.", "faint")
        self.hint.hide()
        essentials = QWidget()
        self.advanced = Fold("More settings")
        form = form_of(essentials)
        for name in ESSENTIALS:
            self._add(form, name)
        for name in TrainingSettings.model_fields:
            if name not in ESSENTIALS:
                self._add(self.advanced.form, name)
        align_labels(form, self.advanced.form)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(note("Settings", "section"))
        layout.addWidget(self.hint)
        layout.addWidget(essentials)
        layout.addWidget(self.advanced)
        session.unfinished.append(self.unfinished)
        session.designChanged.connect(self.show_design)
        session.checkedChanged.connect(self._show_remarks)
        live.stateChanged.connect(self._state_changed)
        self.show_design()
        self._show_remarks()

    def _add(self, form: QFormLayout, name: str) -> None:
        info = TrainingSettings.model_fields[name]
        kind = info.annotation
        title = info.title or name
        tip = f"{info.description or title} (default: {_shown(info.default)})"
        field: QWidget
        if kind is bool:
            field = QCheckBox()
            field.clicked.connect(lambda on: self._set(name, on))
        elif get_origin(kind) is Literal:
            field = Combo(*((str(choice), choice) for choice in get_args(kind)), tip=tip)
            field.activated.connect(lambda _place: self._set(name, field.currentData()))
        else:
            field = Entry(lambda text: _problem(name, text, kind), tip=tip)
            field.entered.connect(lambda text: self._set(name, _parsed(text, kind)))
            reason = note("", "problem")
            reason.hide()
            field.wrong.connect(reason.setText)
            field.wrong.connect(lambda why: reason.setVisible(bool(why)))
            self.reasons[name] = reason
        field.setToolTip(tip)
        field.setObjectName(name)
        label = QLabel(title)
        label.setToolTip(tip)
        label.setBuddy(field)
        self.inputs[name] = field
        self.labels[name] = label
        self.rows[name] = form
        form.addRow(label, field)
        if name in self.reasons:
            form.addRow(self.reasons[name])
        if name in REMARKS:
            self.remarks[name] = note("", "faint")
            self.remarks[name].hide()
            form.addRow(self.remarks[name])

    def _state_changed(self, state: str) -> None:
        self.hint.setVisible(state != "idle")
        for name, label in self.labels.items():
            set_role(label, "" if state == "idle" or name in LIVE_SETTINGS else "faint")

    def _set(self, name: str, value: Any) -> None:
        default = TrainingSettings.model_fields[name].default
        self.session.do(SetTraining({name: None if value == default else value}))

    def unfinished(self) -> StudioError | None:
        """What is typed is taken; the first field that cannot be is told, and shown."""
        idle = self._idle()
        for name, field in self.inputs.items():
            if name not in idle and isinstance(field, Entry) and (reason := field.finish()):
                if name not in ESSENTIALS:
                    self.advanced.set_open(True)
                field.setFocus()
                return StudioError(
                    f"The setting “{self.labels[name].text()}” cannot be used: {reason}",
                    where="training panel",
                    remedy="Correct it, or press Esc in it for the value before.",
                )
        return None

    def show_design(self, change: Change | None = None) -> None:
        """Show the design's settings; what stands in a damaged file is shown as it is, with the reason."""
        anew = change is not None and change.edit is None
        training = self.session.design.training
        for name, field in self.inputs.items():
            value = training.get(name, TrainingSettings.model_fields[name].default)
            if isinstance(field, QCheckBox):
                field.setChecked(bool(value))
            elif isinstance(field, Combo):
                field.put(value)
            elif isinstance(field, Entry):
                field.put(_shown(value), anew=anew)
        idle = self._idle()
        for name, field in self.inputs.items():
            self.rows[name].setRowVisible(field, name not in idle)

    def _idle(self) -> frozenset[str]:
        """What means nothing beside the other settings; nothing is hidden while some of them cannot be read."""
        try:
            return idle_settings(settings_from(self.session.design.training))
        except StudioError:
            return frozenset()

    def _show_remarks(self, checked: object = None) -> None:
        """What the check says about a setting that is on, below it."""
        for name, label in self.remarks.items():
            told = [d.message for d in self.session.checked.diagnostics if d.code == REMARKS[name]]
            field = self.inputs[name]
            on = isinstance(field, QCheckBox) and field.isChecked()
            label.setText("\n".join(sentence(text) for text in told))
            label.setVisible(on and bool(told))


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parsed(text: str, kind: Any) -> Any:
    if kind is str:
        return text
    return int(text.replace(",", "").replace("_", "")) if kind is int else float(text.replace(",", "."))


def _problem(name: str, text: str, kind: Any) -> str:
    """Why a text does not fit the setting, "" when it does."""
    try:
        value = _parsed(text.strip(), kind)
    except ValueError:
        return f"“{text}” is not a {'whole ' if kind is int else ''}number"
    try:
        settings_from({name: value})
    except StudioError as error:
        reason = error.what.split(f"{name}: ", 1)[-1]
        return sentence(reason)
    return ""
