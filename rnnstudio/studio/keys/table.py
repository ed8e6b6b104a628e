"""The table of all commands: menus, right-click menus, tool tips, help and the shortcuts window are made from it.

Keys are written as Qt writes them ("Ctrl+Shift+N"; Ctrl is Command on a Mac). A key without Ctrl, Alt or Meta that
types something works on the canvas only, whatever its command; so do all keys of a command with `on_canvas`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Command:
    """One thing the window can do. title: as in a menu, & before its letter; about: what it does, in a few words.

    on_canvas: its keys work only while the canvas has the keyboard (Delete in a text field deletes text).
    """

    name: str
    group: str
    title: str
    about: str = ""
    keys: tuple[str, ...] = ()
    on_canvas: bool = False
    picture: str = ""

    @property
    def plain(self) -> str:
        """The title without its mark and dots."""
        return self.title.replace("&", "").rstrip("…")


@dataclass(frozen=True, slots=True)
class Gesture:
    """What the mouse does, or a key held while it does: fixed, shown beside the commands."""

    hands: str
    does: str


FILE, EDIT, CELL, VIEW, PANELS, TRAIN, HELP, CANVAS, WALK = (
    *("File", "Edit", "Cell", "View", "Panels", "Train", "Help", "Canvas", "Canvas by keyboard"),
)


def _c(name: str, title: str, about: str = "", *keys: str, picture: str = "") -> Command:
    return Command(name, "", title, about, keys, picture=picture)


_EVERYWHERE = {
    FILE: (
        _c("new", "&New…", "New design", "Ctrl+N", picture="new"),
        _c("new_window", "New &window", "Another window, with a design of its own", "Ctrl+Shift+N"),
        _c("open", "&Open…", "Open a design", "Ctrl+O", picture="open"),
        _c("open_in_window", "Open in a new w&indow…", "Open a design beside this one", "Ctrl+Shift+O"),
        _c("save", "&Save", "Save the design", "Ctrl+S", picture="save"),
        _c("save_as", "Save &as…", "Save the design in another file", "Ctrl+Shift+S"),
        _c("export", "&Export…", "Export a trained model", "Ctrl+E", picture="export"),
        _c("picture", "Export &picture…", "Save the drawing as SVG, PNG, PDF or TikZ", "Ctrl+Shift+E"),
        _c("close", "&Close window", "Close this window; others stay", "Ctrl+W"),
        _c("next_window", "Next &window", "The next window of the studio to the front", "Ctrl+`"),
        _c("quit", "&Quit", "Close all windows", "Ctrl+Q"),
    ),
    EDIT: (
        _c("undo", "&Undo", "Undo, without limit", "Ctrl+Z", picture="undo"),
        _c("redo", "&Redo", "Redo", "Ctrl+Shift+Z", "Ctrl+Y", picture="redo"),
        _c("find", "&Find a node…", "Find a node by name, kind or parameter, in every cell too", "Ctrl+F"),
        _c("add", "Add &node…", "Search for a node to add", "Tab", "Shift+A", "Ctrl+Space"),
        _c("tidy", "&Tidy", "Lay the drawing, or what is selected, out in columns", "Ctrl+L", picture="tidy"),
    ),
    CELL: (_c("own_cells", "Open the &folder of own cells", "Where the files of own cells are"),),
    VIEW: (
        _c("fit", "Zoom to &fit", "Show the whole drawing", "Ctrl+0", "Home", picture="fit"),
        _c("zoom_in", "Zoom &in", "", "Ctrl++", "Ctrl+="),
        _c("zoom_out", "Zoom &out", "", "Ctrl+-"),
        _c("real_size", "&Actual size", "100 %", "1"),
        _c("theme", "&Dark theme", "Dark or light", "Ctrl+Shift+L", picture="theme"),
        _c("minimap", "&Minimap", "The whole drawing in a corner"),
        _c("reset_layout", "&Reset layout", "All panels where they were at first"),
    ),
    PANELS: (
        _c("to_canvas", "Go to the &canvas", "Give the canvas the keyboard", "Ctrl+1"),
        _c("to_palette", "Go to the palette", "Show it and give it the keyboard", "Ctrl+2"),
        _c("to_inspector", "Go to the inspector", "Show it and give it the keyboard", "Ctrl+3"),
        _c("to_problems", "Go to the problems", "Show them and give them the keyboard", "Ctrl+4"),
        _c("to_data", "Go to the data", "Show it and give it the keyboard", "Ctrl+5"),
        _c("to_code", "Go to the code", "Show it and give it the keyboard", "Ctrl+6"),
        _c("to_training", "Go to the training", "Show it and give it the keyboard", "Ctrl+7"),
        _c("to_loss", "Go to the loss", "Show it and give it the keyboard", "Ctrl+8"),
        _c("to_runs", "Go to the runs", "Show them and give them the keyboard", "Ctrl+9"),
        _c("to_gates", "Go to the gates", "Show them and give them the keyboard"),
        _c("to_gradients", "Go to the gradients", "Show them and give them the keyboard"),
        _c("to_samples", "Go to the samples", "Show them and give them the keyboard"),
        _c("next_panel", "&Next panel", "Give the next panel that is shown the keyboard", "F6"),
        _c("previous_panel", "&Previous panel", "Give the panel before the keyboard", "Shift+F6"),
    ),
    TRAIN: (
        _c("train", "&Train", "Train the network", "F5", picture="train"),
        _c("pause", "&Pause", "Pause or go on", "Ctrl+F5", picture="pause"),
        _c("stop", "&Stop", "Stop the training; what is learned is kept", "Shift+F5", picture="stop"),
    ),
    HELP: (
        _c("help", "&Help on the selected node", "Its formula, shapes and literature", "F1"),
        _c("shortcuts", "&Keyboard shortcuts…", "All keys, to look up and to change", "Ctrl+/"),
        _c("hands", "&Keys and mouse", "The most important ones at a glance"),
        _c("about", "&About"),
    ),
}
_ON_CANVAS = {
    EDIT: (
        _c("cut", "Cu&t", "", "Ctrl+X"),
        _c("copy", "&Copy", "", "Ctrl+C"),
        _c("paste", "&Paste", "At the pointer", "Ctrl+V"),
        _c("paste_wired", "Paste with incoming wires", "Paste and keep the wires that came in", "Ctrl+Shift+V"),
        _c("copy_picture", "Copy as p&icture", "The selection, or all, to the clipboard", "Ctrl+Shift+C"),
        _c("duplicate", "&Duplicate", "", "Ctrl+D"),
        _c("delete", "De&lete", "", "Del"),
        _c("select_all", "Select &all", "", "Ctrl+A"),
        _c("rename", "&Rename", "Type a name where it stands", "F2"),
        _c("replace", "Replace &with…", "Another node in its place, its wires kept where they fit", "Ctrl+R"),
        _c("wire", "&Wire from or to a port…", "Choose a port, then what it is wired with", "W"),
        _c("disconnect", "&Break its wires", "All wires between the selection and others", "Ctrl+Shift+X"),
        _c("frame", "F&rame the selection", "A frame with a title around it", "Ctrl+Shift+F"),
        _c("mute", "&Mute", "What comes in goes out, as if it were not there", "M"),
        _c("unroll", "&Unrolled", "The drawing once for every step, with the values of a run", "U"),
        _c("collapse", "C&ollapse", "Fold to the title, or unfold", "H"),
        _c("hide_wires", "&Hide wires", "Draw wires by their ends alone, or whole", "Shift+H"),
        _c("show_wires", "&Show all wires", "No wire is hidden any more"),
        _c("tidy_before", "Tidy what lies &before", "All that leads to the selection", "Ctrl+["),
        _c("tidy_behind", "Tidy what lies be&hind", "All that the selection leads to", "Ctrl+]"),
        *(
            _c(f"align_{edge}", f"Align {title}", "What is selected")
            for edge, title in (
                *(("left", "&left"), ("middle", "in a &column"), ("right", "&right")),
                *(("top", "&top"), ("centre", "in a ro&w"), ("bottom", "&bottom")),
            )
        ),
        _c("distribute_horizontally", "Distribute &horizontally", "Equal gaps between what is selected"),
        _c("distribute_vertically", "Distribute &vertically", "Equal gaps between what is selected"),
    ),
    CELL: (
        _c("new_cell", "New &empty cell", "x → h, to be drawn"),
        _c("group", "&Group into a cell", "The selection becomes a cell", "Ctrl+G"),
        _c("ungroup", "&Ungroup the cell", "Its drawing in its place", "Ctrl+Shift+G"),
        _c("open_cell", "&Open the cell", "Show its drawing", "Return", "Enter"),
        _c("leave_cell", "&Leave the cell", "Back to the drawing that has it", "Backspace"),
        _c("rename_cell", "&Rename the cell…", "The cell of the selected node, or the one that is entered", "Shift+F2"),
        _c("make_editable", "Make &editable", "A copy of a library cell, for this design"),
        _c("unique", "Make the cell uni&que", "A copy that others do not follow"),
        _c("restore_cell", "Restore the &library's cell", "As the library draws it"),
        _c("save_own_cell", "&Save to own cells", "To be found in the palette of every design"),
    ),
    CANVAS: (
        _c("frame_selection", "Show the selection", "Zoom to what is selected, or to everything", "F"),
        _c("menu", "Menu of the selection", "What can be done here", "Menu", "Shift+F10"),
    ),
    WALK: (
        *(
            _c(f"walk_{way}", f"Walk {told}", f"Select the node {where}", f"Alt+{key}")
            for way, told, where, key in (
                ("left", "back along a wire", "that feeds this one", "Left"),
                ("right", "on along a wire", "that this one feeds", "Right"),
                ("up", "up", "above", "Up"),
                ("down", "down", "below", "Down"),
            )
        ),
        *(
            _c(f"extend_{way}", f"Walk {told} and keep the selection", "", f"Alt+Shift+{key}")
            for way, told, key in (
                *(("left", "back", "Left"), ("right", "on", "Right"), ("up", "up", "Up"), ("down", "down", "Down")),
            )
        ),
        _c("next_thing", "Select the next thing", "Nodes, wires and frames in reading order", "PgDown"),
        _c("previous_thing", "Select the thing before", "Nodes, wires and frames in reading order", "PgUp"),
        *(
            _c(f"move_{way}", f"Move {way}", "What is selected; the view where nothing is", key)
            for way, key in (*(("left", "Left"), ("right", "Right"), ("up", "Up"), ("down", "Down")),)
        ),
        *(
            _c(f"move_far_{way}", f"Move further {way}", "What is selected", f"Shift+{key}")
            for way, key in (*(("left", "Left"), ("right", "Right"), ("up", "Up"), ("down", "Down")),)
        ),
    ),
}


def _table() -> dict[str, Command]:
    found: dict[str, Command] = {}
    for group in (FILE, EDIT, CELL, VIEW, PANELS, TRAIN, HELP, CANVAS, WALK):
        for rows, on_canvas in ((_EVERYWHERE, False), (_ON_CANVAS, True)):
            found |= {c.name: replace(c, group=group, on_canvas=on_canvas) for c in rows.get(group, ())}
    return found


COMMANDS = _table()
"""By name, in the order in which they are shown."""

PRESETS: dict[str, dict[str, tuple[str, ...]]] = {
    "rnnstudio": {},
    "Arrows walk": {
        key: value
        for way in ("left", "right", "up", "down")
        for key, value in (
            (f"walk_{way}", (way.title(),)),
            (f"extend_{way}", (f"Shift+{way.title()}",)),
            (f"move_{way}", (f"Ctrl+{way.title()}",)),
            (f"move_far_{way}", (f"Ctrl+Shift+{way.title()}",)),
        )
    },
}
"""Name → the commands whose keys differ from the table's."""

FIXED_KEYS = {
    "Esc": "leaves what is going on, then the selection, then the cell",
    "Space": "held, the left button pans",
}
"""Keys that no command can have."""

GESTURES = (
    Gesture("Esc", "leave what is going on; select nothing; leave the cell"),
    Gesture("Click", "select; with Shift or Ctrl: add to the selection, or take out of it"),
    Gesture("Drag on nothing", "select with a box; with Shift it adds, with Ctrl it takes away"),
    Gesture("Drag a node", "move what is selected, in line with ports and neighbours; with Alt: freely, into no wire"),
    Gesture("Drag from a port", "draw a wire; let go on nothing: what fits is offered"),
    Gesture("Drag a wire's end", "connect it elsewhere, or take it off"),
    Gesture("Alt+Click", "break a wire, or all wires at a port"),
    Gesture("Ctrl+Right drag", "cut every wire the stroke crosses"),
    Gesture("Shift+Right drag", "join the wires that the stroke crosses in a reroute point"),
    Gesture("Double-click on nothing", "search for a node to add"),
    Gesture("Double-click a cell", "open its drawing"),
    Gesture("Double-click a node", "rename it"),
    Gesture("Double-click a wire", "put a reroute point in"),
    Gesture("Drop a node on a wire", "put it in between; with Alt: not"),
    Gesture("Drop a node on a node", "put it in its place, wires kept; with Alt: not"),
    Gesture("Right click", "what can be done here"),
    Gesture("Right or middle drag", "pan; so does Space with the left button"),
    Gesture("Wheel", "zoom at the pointer; with Shift: scroll sideways"),
)
