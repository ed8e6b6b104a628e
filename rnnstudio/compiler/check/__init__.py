"""Types and shapes on every wire, and all problems of a drawing at once: errors, warnings and hints.

checker: the parts in their order. wiring: nodes, parameters, ports. order: loops within one step. shapes: the signal on
every wire. whole_design: what only all of it tells. size: how much cells come to. axes: what a node does along its
axis. widths: fields, widths and weights that contradict each other or the machine. A shape rule's own complaints
(`Mistake`) stand in the catalogue.
"""

from ..diagnostics import Checked
from .checker import Checker, check
from .order import late_inputs

__all__ = ["Checked", "Checker", "check", "late_inputs"]
