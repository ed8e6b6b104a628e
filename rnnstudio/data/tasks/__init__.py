"""Tasks whose examples are made, not read: one class a task, its definition and source in its docstring.

A recipe names one in place of a file ("task:adding"); its options say how much is made and how hard it is. The same
options give the same examples on every machine.
"""

from __future__ import annotations

from rnnstudio.data.readers import Reader
from rnnstudio.data.tasks.brackets import Brackets
from rnnstudio.data.tasks.expressions import Expressions
from rnnstudio.data.tasks.led import Led
from rnnstudio.data.tasks.memory import Adding, Copy, Parity
from rnnstudio.data.tasks.morse import Morse
from rnnstudio.data.tasks.series import MackeyGlass, Sines
from rnnstudio.data.tasks.writing import Addition, Autocomplete, Reversal

TASKS: tuple[Reader, ...] = (
    Adding(),
    Copy(),
    Parity(),
    Reversal(),
    Addition(),
    Brackets(),
    Autocomplete(),
    MackeyGlass(),
    Sines(),
    Expressions(),
    Morse(),
    Led(),
)
