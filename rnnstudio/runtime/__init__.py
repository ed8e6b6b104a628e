"""Programs as torch modules: primitives, loops and their lowerings, the network, and a look inside."""

from .generate import generate
from .network import Losses, Network, Probe, Result

__all__ = ["Losses", "Network", "Probe", "Result", "generate"]
