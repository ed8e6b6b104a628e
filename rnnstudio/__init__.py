"""rnnstudio: draw a recurrent network, train it, look inside it. This file stays light: the version and nothing heavy."""

__version__ = "0.1.0"
