"""How each diagnostic is put right with one click: candidates by its code, tried on the drawing before one is offered.

place: where a diagnostic is, with what is known there. wiring, parameters, shapes, whole: candidates. trial: which one
is offered. A new code's candidates are a generator in one of these, and a line in `CANDIDATES`.
"""

from .remedies import CANDIDATES, WITHOUT, Remedies

__all__ = ["CANDIDATES", "WITHOUT", "Remedies"]
