"""Trained models as files that run without the studio, each compared with the live model before it is saved."""

from .certificate import Certificate, Comparison
from .python import export_python

__all__ = ["Certificate", "Comparison", "export_python"]
