"""Colours, spacing and fonts of the whole window, in one place: a light and a dark theme over Qt's Fusion style."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache

from PySide6.QtCore import QObject, QSettings, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication

from .places import icons

SPACE = 8
"""The unit of all margins and gaps."""
RADIUS = 7


@dataclass(frozen=True)
class Theme:
    """Every colour by its role. `data`, `layers` … are families of nodes; `real`, `tokens`, `loss` kinds of signal,
    `state` the line of what is held from step to step."""

    name: str
    window: str
    surface: str
    raised: str
    field: str
    border: str
    text: str
    muted: str
    faint: str
    accent: str
    selected: str
    on_accent: str
    canvas: str
    grid: str
    node: str
    node_border: str
    shadow: str
    error: str
    warning: str
    hint: str
    good: str
    error_back: str
    real: str
    tokens: str
    loss: str
    any: str
    state: str
    data: str
    layers: str
    cells: str
    time: str
    trees: str
    pointwise: str
    losses: str
    cell: str
    series: tuple[str, ...]
    """Colours of curves, in order; each readable on `surface`."""
    keyword: str
    string: str
    number: str

    def color(self, role: str, alpha: float = 1.0) -> QColor:
        """The colour of a role, with an opacity 0 … 1. The caller's own: it may change it."""
        color = QColor(_made(getattr(self, role)))
        if alpha < 1.0:
            color.setAlphaF(alpha)
        return color

    def family(self, name: str) -> QColor:
        """The colour of a palette family; an unknown family (of a plugin) is drawn like layers."""
        role = name.lower()
        return self.color(role if role in _ROLES else "layers")

    def severity(self, name: str) -> QColor:
        return self.color({"error": "error", "warning": "warning"}.get(name, "hint"))

    @property
    def dark(self) -> bool:
        return self.name == "dark"


@cache
def _made(name: str) -> QColor:
    """Read once: a drawing of a thousand nodes asks for ten thousand colours."""
    return QColor(name)


_ROLES = {f.name for f in fields(Theme)} - {"name", "series"}

DARK = Theme(
    name="dark",
    window="#1c1f26",
    surface="#23272f",
    raised="#2d323c",
    field="#1a1d23",
    border="#3a404c",
    text="#e7eaf0",
    muted="#a3acbb",
    faint="#767f8f",
    accent="#5b9dff",
    selected="#2e4266",
    on_accent="#0b1220",
    canvas="#191c22",
    grid="#2b303a",
    node="#2a2f39",
    node_border="#454c5a",
    shadow="#0d0f13",
    error="#ff6b6b",
    warning="#f5b34a",
    hint="#7fb2ff",
    good="#5fd08a",
    error_back="#3f2428",
    real="#62a8ff",
    tokens="#f2a54a",
    loss="#ff7085",
    any="#9aa4b5",
    state="#3fc8b4",
    data="#f2a54a",
    layers="#62a8ff",
    cells="#b48cff",
    time="#3fc8b4",
    trees="#8fce5a",
    pointwise="#93a1b8",
    losses="#ff7085",
    cell="#d0d6e0",
    series=("#62a8ff", "#f2a54a", "#5fd08a", "#ff7085", "#b48cff", "#3fc8b4", "#e0d15c", "#9aa4b5"),
    keyword="#c49bff",
    string="#8fd19e",
    number="#f2b66d",
)

LIGHT = Theme(
    name="light",
    window="#eef0f4",
    surface="#ffffff",
    raised="#f6f7f9",
    field="#ffffff",
    border="#cfd4dd",
    text="#1d2430",
    muted="#5b6576",
    faint="#8b94a3",
    accent="#2f6fe0",
    selected="#d9e6fb",
    on_accent="#ffffff",
    canvas="#f7f8fa",
    grid="#dde1e8",
    node="#ffffff",
    node_border="#bcc3cf",
    shadow="#c9cfd9",
    error="#d1344b",
    warning="#b86e00",
    hint="#2f6fe0",
    good="#1d8a4c",
    error_back="#fdecee",
    real="#2f7fe6",
    tokens="#d9790f",
    loss="#d8405a",
    any="#737e90",
    state="#0d9683",
    data="#d9790f",
    layers="#2f7fe6",
    cells="#8353e0",
    time="#0d9683",
    trees="#4d8a12",
    pointwise="#64748b",
    losses="#d8405a",
    cell="#3c4658",
    series=("#2f7fe6", "#d9790f", "#1d8a4c", "#d8405a", "#8353e0", "#0d9683", "#98850a", "#737e90"),
    keyword="#7a3fd0",
    string="#1d7f45",
    number="#b35c00",
)

_THEMES = {theme.name: theme for theme in (LIGHT, DARK)}
_worn = LIGHT


class Changes(QObject):
    """`changed` is sent when the application wears another theme."""

    changed = Signal()


def changes() -> Changes:
    """The application's one Changes. (In a widget's changeEvent setting a style sheet would start another one.)"""
    app = QApplication.instance()
    found = app.findChild(Changes) if app is not None else None
    return found if isinstance(found, Changes) else Changes(app)


def current() -> Theme:
    """The theme of the running application. Widgets that paint themselves ask again at QEvent.PaletteChange."""
    return _worn


def remembered() -> Theme:
    """The theme chosen last, or the desktop's own lightness at the first start."""
    name = QSettings().value("theme")
    if name in _THEMES:
        return _THEMES[name]
    hints = QApplication.styleHints()
    return DARK if hints.colorScheme() == Qt.ColorScheme.Dark else LIGHT


def apply(theme: Theme, *, remember: bool = False) -> None:
    """Dress the whole application. Fusion is set once, by the first call."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    if app.style().objectName().lower() != "fusion":
        app.setStyle("Fusion")
    global _worn
    _worn = theme
    app.setProperty("rnnstudioTheme", theme.name)
    # The palette first: widgets that a sheet has polished keep their old palette until the next sheet is set.
    app.setPalette(_palette(theme))
    app.setStyleSheet(_sheet(theme))
    if remember:
        QSettings().setValue("theme", theme.name)
    changes().changed.emit()


def monospace(size: float = 0.0) -> QFont:
    """The system's fixed-width font, in points (0: as large as the window's text)."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    font.setStyleHint(QFont.StyleHint.Monospace)
    font.setPointSizeF(size or QApplication.font().pointSizeF())
    return font


def _palette(t: Theme) -> QPalette:
    palette = QPalette()
    role = QPalette.ColorRole
    roles = {
        role.Window: "window",
        role.WindowText: "text",
        role.Base: "field",
        role.AlternateBase: "raised",
        role.ToolTipBase: "raised",
        role.ToolTipText: "text",
        role.PlaceholderText: "faint",
        role.Text: "text",
        role.Button: "raised",
        role.ButtonText: "text",
        role.BrightText: "error",
        role.Highlight: "accent",
        role.HighlightedText: "on_accent",
        role.Link: "accent",
        role.LinkVisited: "accent",
        role.Light: "raised",
        role.Midlight: "raised",
        role.Mid: "border",
        role.Dark: "border",
        role.Shadow: "shadow",
        role.Accent: "accent",
    }
    for key, name in roles.items():
        palette.setColor(key, t.color(name))
    disabled = QPalette.ColorGroup.Disabled
    for key in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        palette.setColor(disabled, key, t.color("faint"))
    palette.setColor(disabled, role.Highlight, t.color("border"))
    return palette


def _picture(name: str, t: Theme) -> str:
    """A picture that has the theme's colours in it: a style sheet cannot colour one."""
    return (icons() / f"{name}-{t.name}.svg").as_posix()


def _sheet(t: Theme) -> str:
    """What Fusion leaves plain: docks, tabs, tool bar, lists, tool tips, scroll bars."""
    return f"""
QToolTip {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.border}; padding: 5px 7px; }}
QMainWindow::separator {{ background: {t.window}; width: 5px; height: 5px; }}
QMainWindow::separator:hover {{ background: {t.accent}; }}
QToolBar {{ background: {t.window}; border: none; border-bottom: 1px solid {t.border};
  padding: 4px 6px; spacing: 2px; }}
QToolBar::separator {{ background: {t.border}; width: 1px; margin: 5px 6px; }}
QToolBar QToolButton {{ border: 1px solid transparent; border-radius: 6px; padding: 4px 7px; color: {t.text}; }}
QToolBar QToolButton:hover {{ background: {t.raised}; border-color: {t.border}; }}
QToolBar QToolButton:pressed, QToolBar QToolButton:checked {{ background: {t.border}; }}
QToolBar QToolButton:disabled {{ color: {t.faint}; }}
QMenuBar {{ background: {t.window}; border: none; padding: 2px 4px; }}
QMenuBar::item {{ padding: 4px 9px; border-radius: 5px; background: transparent; }}
QMenuBar::item:selected {{ background: {t.border}; }}
QMenu {{ background: {t.surface}; border: 1px solid {t.border}; padding: 5px; }}
QMenu::item {{ padding: 5px 24px 5px 22px; border-radius: 5px; }}
QMenu::item:selected {{ background: {t.accent}; color: {t.on_accent}; }}
QMenu::item:disabled {{ color: {t.faint}; background: transparent; }}
QMenu::separator {{ height: 1px; background: {t.border}; margin: 5px 8px; }}
QStatusBar {{ background: {t.window}; border-top: 1px solid {t.border}; color: {t.muted}; }}
QStatusBar::item {{ border: none; }}
QDockWidget {{ font-weight: 600; color: {t.muted}; titlebar-close-icon: url({_picture("dock-close", t)});
  titlebar-normal-icon: url({_picture("dock-float", t)}); }}
QDockWidget::title {{ background: {t.window}; padding: 6px 10px; text-align: left; }}
QTabBar {{ qproperty-drawBase: 0; }}
QTabBar::tab {{ background: transparent; color: {t.muted}; padding: 6px 12px; border: none;
  border-bottom: 2px solid transparent; }}
QTabBar::tab:selected {{ color: {t.text}; border-bottom: 2px solid {t.accent}; }}
QTabBar::tab:hover:!selected {{ color: {t.text}; }}
QTabWidget::pane {{ border: none; border-top: 1px solid {t.border}; }}
QListView, QTreeView, QTableView {{ background: {t.surface}; border: none; outline: none;
  show-decoration-selected: 0; selection-background-color: {t.selected}; selection-color: {t.text}; }}
QTreeView::branch:selected {{ background: transparent; }}
QListView::item, QTreeView::item {{ padding: 3px 4px; border-radius: 5px; }}
QListView::item:hover, QTreeView::item:hover {{ background: {t.raised}; }}
QListView::item:selected, QTreeView::item:selected {{ background: {t.selected}; color: {t.text}; }}
QHeaderView::section {{ background: {t.raised}; color: {t.muted}; border: none;
  border-right: 1px solid {t.border}; border-bottom: 1px solid {t.border}; padding: 4px 8px; }}
QLineEdit, QPlainTextEdit, QTextEdit {{ background: {t.field}; border: 1px solid {t.border}; border-radius: 5px;
  padding: 3px 6px; selection-background-color: {t.accent}; selection-color: {t.on_accent}; }}
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus {{ border-color: {t.accent}; }}
QLineEdit[wrong="true"] {{ border-color: {t.error}; background: {t.error_back}; }}
QScrollArea {{ border: none; background: {t.surface}; }}
QScrollArea > QWidget > QWidget {{ background: {t.surface}; }}
QScrollBar:vertical {{ background: transparent; width: 11px; margin: 0; }}
QScrollBar:horizontal {{ background: transparent; height: 11px; margin: 0; }}
QScrollBar::handle {{ background: {t.border}; border-radius: 4px; margin: 2px; min-height: 28px; min-width: 28px; }}
QScrollBar::handle:hover {{ background: {t.faint}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
#banner {{ background: {t.error_back}; border: none; border-bottom: 1px solid {t.error}; }}
#banner[offer="true"] {{ background: {t.selected}; border-bottom-color: {t.accent}; }}
#banner QLabel {{ background: transparent; }}
#breadcrumbs {{ background: {t.surface}; border-bottom: 1px solid {t.border}; }}
#breadcrumbs QToolButton {{ border: none; padding: 2px 5px; border-radius: 5px; color: {t.muted}; }}
#breadcrumbs QToolButton:hover {{ background: {t.raised}; color: {t.text}; }}
#breadcrumbs QToolButton[here="true"] {{ color: {t.text}; font-weight: 600; }}
#cellBar {{ background: {t.raised}; border-bottom: 1px solid {t.border}; }}
#cellBar[lit="true"] {{ background: {t.selected}; border-bottom-color: {t.accent}; }}
#cellBar QLabel {{ background: transparent; }}
#cellBar #what {{ font-weight: 600; }}
#start {{ background: {t.window}; border: none; }}
#start QScrollArea, #start QScrollArea > QWidget > QWidget {{ background: transparent; }}
#problem {{ background: {t.surface}; border: none; border-bottom: 1px solid {t.border}; }}
#problem:hover, #problem:focus {{ background: {t.raised}; }}
#formula {{ background: {t.raised}; border-radius: 6px; padding: 8px; }}
QAbstractSpinBox, QComboBox {{ background: {t.field}; border: 1px solid {t.border}; border-radius: 5px; color: {t.text};
  padding: 2px 4px; min-height: 19px; selection-background-color: {t.accent}; selection-color: {t.on_accent}; }}
QAbstractSpinBox:focus, QComboBox:focus {{ border-color: {t.accent}; }}
QAbstractSpinBox:disabled, QComboBox:disabled, QLineEdit:disabled {{ color: {t.faint}; }}
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ subcontrol-origin: border; width: 18px; border: none;
  background: transparent; }}
QAbstractSpinBox::up-button {{ subcontrol-position: top right; }}
QAbstractSpinBox::down-button {{ subcontrol-position: bottom right; }}
QAbstractSpinBox::up-arrow {{ image: url({_picture("arrow-up", t)}); width: 9px; height: 9px; }}
QAbstractSpinBox::down-arrow {{ image: url({_picture("arrow-down", t)}); width: 9px; height: 9px; }}
QAbstractSpinBox::up-arrow:off, QAbstractSpinBox::down-arrow:off {{ image: none; }}
QComboBox::drop-down {{ subcontrol-origin: border; subcontrol-position: center right; width: 20px; border: none; }}
QComboBox::down-arrow {{ image: url({_picture("arrow-down", t)}); width: 10px; height: 10px; }}
QComboBox QAbstractItemView {{ background: {t.surface}; border: 1px solid {t.border}; padding: 3px; outline: none; }}
QPushButton, QToolButton {{ background: {t.raised}; border: 1px solid {t.border}; border-radius: 5px;
  padding: 4px 10px; color: {t.text}; }}
QToolButton {{ padding: 3px 6px; }}
QToolButton[autoRaise="true"] {{ background: transparent; border-color: transparent; }}
QPushButton:hover, QToolButton:hover {{ border-color: {t.faint}; }}
QPushButton:pressed, QToolButton:pressed {{ background: {t.border}; }}
QPushButton:default, QPushButton:focus, QToolButton:focus {{ border-color: {t.accent}; }}
QPushButton:disabled, QToolButton:disabled {{ color: {t.faint}; }}
QCheckBox {{ spacing: 6px; padding-right: 8px; }}
QCheckBox:disabled {{ color: {t.faint}; }}
QCheckBox::indicator, QListView::indicator, QTreeView::indicator, QTableView::indicator, QMenu::indicator {{
  width: 13px; height: 13px; border: 1px solid {t.muted}; border-radius: 4px; background: {t.field}; }}
QMenu::indicator {{ left: 5px; }}
QCheckBox::indicator:hover, QCheckBox::indicator:focus {{ border-color: {t.accent}; }}
QCheckBox::indicator:checked, QListView::indicator:checked, QTreeView::indicator:checked,
QTableView::indicator:checked, QMenu::indicator:checked {{ background: {t.accent}; border-color: {t.accent};
  image: url({_picture("check", t)}); }}
QCheckBox::indicator:indeterminate {{ background: {t.border}; }}
QCheckBox::indicator:disabled {{ border-color: {t.border}; background: {t.raised}; }}
QCheckBox::indicator:checked:disabled {{ border-color: {t.faint}; background: {t.faint}; }}
QProgressBar {{ background: {t.raised}; border: 1px solid {t.border}; border-radius: 5px; text-align: center; }}
QProgressBar::chunk {{ background: {t.accent}; border-radius: 4px; }}
QAbstractSpinBox QLineEdit, QComboBox QLineEdit {{ border: none; background: transparent; padding: 0 4px; }}
#code {{ border: none; border-radius: 0; }}
#quickAdd QListView {{ background: transparent; }}
QLabel[role="muted"] {{ color: {t.muted}; }}
QLabel[role="faint"] {{ color: {t.faint}; }}
QLabel[role="problem"] {{ color: {t.error}; }}
QLabel[role="heading"] {{ font-weight: 600; }}
QLabel[role="section"] {{ color: {t.muted}; font-weight: 600; }}
QFrame[role="card"] {{ background: {t.raised}; border: 1px solid {t.border}; border-radius: 8px; }}
QWidget[role="panel"] {{ background: {t.surface}; }}
"""
