"""From drawing to program: check, flatten, schedule, print, and readable source. No torch, no Qt."""

from .check import Checked, Checker, check
from .compile import compile_design
from .diagnostics import Diagnostic
from .program import Program
from .source import source

__all__ = ["Checked", "Checker", "Diagnostic", "Program", "check", "compile_design", "source"]
