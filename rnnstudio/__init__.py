"""rnnstudio: draw a recurrent network, train it, look inside it. Kept light: importing this loads nothing heavy."""

__version__ = "0.1.0"
