"""What a kind of node does, as a small drawing: SVG on 24 × 24, one for each kind of the catalogue.

Functions are drawn as their curves, losses as what they compare, nodes along time as what becomes of its steps.
"""

# ruff: noqa: E501 - a drawing is one line

from __future__ import annotations

from collections.abc import Callable
from math import erf, exp, log, log1p, sqrt, tanh

WIDE = 3.0
"""Curves are drawn from −3 to 3."""


def _curve(f: Callable[[float], float], low: float = -1.0, high: float = 1.0, left: float = -WIDE) -> str:
    """The graph of a function over its axis; low, high: the values at the lower and the upper edge."""
    points = []
    for i in range(31):
        x = left + (WIDE - left) * i / 30
        y = min(max(f(x), low), high)
        points.append(f"{3 + 18 * i / 30:.1f} {20 - 16 * (y - low) / (high - low):.1f}")
    zero = 20 + 16 * low / (high - low)
    return f'<path d="M3 {zero:.1f}H21" stroke-width="0.9" opacity="0.55"/><path d="M{"L".join(points)}"/>'


def _dots(*places: tuple[float, float], size: float = 1.7) -> str:
    return "".join(f'<circle cx="{x}" cy="{y}" r="{size}" fill="#000000" stroke="none"/>' for x, y in places)


_STEPS = "".join(f'<rect x="{x}" y="9" width="4.4" height="6" rx="1.2"/>' for x in (2.5, 9.8, 17.1))
_MATRIX = '<rect x="4" y="4" width="16" height="16" rx="2.5"/>'
_TREE = '<path d="M12 5.5 6 16.5M12 5.5 18 16.5"/>'


def _chosen(place: int, arrow: str = "") -> str:
    x = (2.5, 9.8, 17.1)[place]
    return f'{_STEPS}<rect x="{x}" y="9" width="4.4" height="6" rx="1.2" fill="#000000"/>{arrow}'


_TOKEN = '<rect x="3" y="7" width="11" height="10" rx="2"/><path d="M6 14.2 8.500 9.600 11 14.200M7 12.700H10"/>'
_WAVE = '<path d="M3 13c1.800-6 3.600-6 5.500 0s3.600 6 5.500 0"/>'
_IN, _AIM = (
    '<path d="M16 12h5m-2.200-2.400L21 12l-2.200 2.400"/>',
    '<circle cx="19" cy="12" r="2.600"/>' + _dots((19, 12), size=0.9),
)

GLYPHS: dict[str, str] = {
    # Data
    "TokenInput": _TOKEN + _IN,
    "FeatureInput": _WAVE + _IN,
    "TokenTarget": _TOKEN + _AIM,
    "FeatureTarget": _WAVE + _AIM,
    "Output": '<rect x="3" y="6" width="9" height="12" rx="2"/><path d="M9 12h12m-3-3 3 3-3 3"/>',
    # Layers
    "Linear": "".join(f'<path d="M6 {a}L18 {b}" stroke-width="1.1"/>' for a in (6, 12, 18) for b in (8.5, 15.5))
    + _dots((5, 6), (5, 12), (5, 18), (19, 8.5), (19, 15.5)),
    "Bilinear": '<path d="M5 6 12 12 5 18M12 12h7" stroke-width="1.300"/>' + _dots((5, 6), (5, 18), (12, 12), (19, 12)),
    "Embedding": '<rect x="3" y="4" width="18" height="16" rx="2"/><path d="M3 9.300h18M3 14.600h18"/>'
    '<rect x="3" y="9.300" width="18" height="5.300" fill="#000000" opacity="0.450" stroke="none"/>',
    "Weights": '<rect x="9" y="3.500" width="6" height="17" rx="2"/><path d="M9 9.200h6M9 14.800h6"/>',
    "Dropout": _dots((5, 7), (12, 17), (19, 7), (19, 17)) + '<circle cx="12" cy="7" r="1.900"/><circle cx="5" cy="17" r="1.900"/>',
    "LayerNorm": '<path d="M3 18c4 0 5-12 9-12s5 12 9 12M12 6v12" stroke-width="1.500"/>',
    "BatchNorm": '<path d="M3 18c4 0 5-12 9-12s5 12 9 12"/><path d="M4 21h16M7 19.500v3M12 19.500v3M17 19.500v3" stroke-width="1"/>',
    "Residual": '<path d="M3 16h6M15 16h6M4 16C6 4 18 4 20 16"/><rect x="9" y="12.500" width="6" height="7" rx="1.500"/>',
    "HighwayJoin": '<path d="M3 8h18M3 16h7c3 0 3-8 6-8"/><path d="M18 5.500 21 8l-3 2.500"/>',
    "Reroute": '<path d="M3 16h5c4 0 4-8 8-8h5"/>' + _dots((12, 12), size=2.6),
    # Time
    "Delay": '<rect x="7" y="7" width="10" height="10" rx="1.500" fill="#000000"/><path d="M2.500 12H7M17 12h4.500"/>',
    "Feedback": '<path d="M4 9h11a4.500 4.500 0 0 1 0 9H8M7 5.500 3.500 9 7 12.500"/>',
    "Taps": _STEPS + '<path d="M4.700 9V5h14.600v4M12 9V5"/>',
    "Clock": '<circle cx="12" cy="12" r="8.500"/><path d="M12 7v5l3.500 2.500"/>',
    "Blend": '<path d="M3 6h4c5 0 5 12 10 12h4M3 18h4c5 0 5-12 10-12h4"/>',
    "Zoneout": _dots((5, 12), (12, 12)) + '<path d="M14.500 12h6m-2.500-2.500 2.500 2.500-2.500 2.500" /><path d="M5 9V5h7v4" stroke-width="1.200"/>',
    "Last": _chosen(2),
    "First": _chosen(0),
    "Mean": _STEPS + '<path d="M3 19h18M3 5h18" stroke-dasharray="2.400 2.400" stroke-width="1.200"/>',
    "Max": '<path d="M5 19v-5M12 19V5M19 19v-8" stroke-width="3.200"/><path d="M8.500 4.500h7" stroke-width="1.200"/>',
    "Sum": '<path d="M17 6.500V4.500H7l5.500 7.500L7 19.500h10v-2"/>',
    "Reverse": _STEPS + '<path d="M19 5H5m2.600-2.400L5 5l2.600 2.400"/>',
    "Repeat": _chosen(0, '<path d="M4.700 9c0-6 14.600-6 14.600 0" stroke-width="1.200"/>'),
    "RenameAxis": '<path d="M3 19h18m-3-2.600 3 2.600-3 2.600" stroke-width="1.400"/><path d="M6 14.500 14.500 5l2.800 2.500L8.800 17z"/>',
    "Attention": _dots((12, 19)) + '<path d="M12 17.500 4.500 6M12 17.500V6" stroke-width="1"/><path d="M12 17.500 19.500 6" stroke-width="2.600"/>'
    + _dots((4.5, 5), (12, 5), (19.5, 5)),
    "Match": _MATRIX + '<path d="M4 9.300h16M4 14.600h16M9.300 4v16M14.600 4v16" stroke-width="1"/>'
    + '<rect x="9.300" y="9.300" width="5.300" height="5.300" fill="#000000"/>',
    "WeightedSum": '<path d="M5 15v-3M12 15V5M19 15V9" stroke-width="3"/><path d="M5 15l7 5 7-5M12 15v5" stroke-width="1"/>',
    # Trees
    "Children": _TREE + '<circle cx="12" cy="5.500" r="2.200"/>' + _dots((6, 17.5), (18, 17.5), size=2.8),
    "Root": _TREE + _dots((12, 5.5), size=2.8) + '<circle cx="6" cy="17.500" r="2.200"/><circle cx="18" cy="17.500" r="2.200"/>',
    # Pointwise
    "Sigmoid": _curve(lambda x: 1 / (1 + exp(-2 * x)), 0, 1),
    "Tanh": _curve(lambda x: tanh(1.4 * x)),
    "Relu": _curve(lambda x: max(x, 0) / WIDE, -0.25),
    "Softplus": _curve(lambda x: log1p(exp(1.6 * x)) / 4.8, -0.15),
    "Exp": _curve(lambda x: exp(x - 1.5) / 4.5, -0.1),
    "Log": _curve(lambda x: log(x) / 2 if x > 0.05 else -1.0, left=0.05),
    "Abs": _curve(lambda x: abs(x) / WIDE, -0.2),
    "Square": _curve(lambda x: x * x / 9, -0.2),
    "Sign": _curve(lambda x: -0.8 if x < 0 else 0.8),
    "Gelu": _curve(lambda x: x * (1 + erf(x / sqrt(2))) / 2 / WIDE, -0.25),
    "Silu": _curve(lambda x: x / (1 + exp(-1.5 * x)) / WIDE, -0.35),
    "Elu": _curve(lambda x: x / WIDE if x > 0 else (exp(x) - 1) / WIDE, -0.6),
    "LeakyRelu": _curve(lambda x: x / WIDE if x > 0 else 0.18 * x / WIDE, -0.4),
    "HardSigmoid": _curve(lambda x: min(max(x / 3 + 0.5, 0), 1), 0, 1),
    "Scale": '<path d="M4 19 20 5M4 19v-4.500M4 19h4.500M20 5v4.500M20 5h-4.500"/>',
    "OneMinus": '<path d="M4 6 20 18M4 18h16" stroke-width="1.600"/><path d="M5 20V5" stroke-width="0.900"/>',
    "Add": '<circle cx="12" cy="12" r="8.500"/><path d="M12 7.500v9M7.500 12h9"/>',
    "Multiply": '<circle cx="12" cy="12" r="8.500"/><path d="m8.800 8.800 6.400 6.400m0-6.400-6.400 6.400"/>',
    "Subtract": '<circle cx="12" cy="12" r="8.500"/><path d="M7.500 12h9"/>',
    "Divide": '<circle cx="12" cy="12" r="8.500"/><path d="M7.500 12h9"/>' + _dots((12, 8.2), (12, 15.8), size=1.3),
    "Maximum": '<path d="M3 17C8 17 8 6 13 6s4 6 8 6" /><path d="M3 9c6 0 8 8 18 8" stroke-width="0.900" opacity="0.600"/>',
    "Minimum": '<path d="M3 7c5 0 5 11 10 11s4-6 8-6"/><path d="M3 15c6 0 8-8 18-8" stroke-width="0.900" opacity="0.600"/>',
    "Concat": '<rect x="3" y="8" width="8" height="8" rx="1.500"/><rect x="13" y="8" width="8" height="8" rx="1.500" fill="#000000"/>',
    "Slice": '<rect x="3" y="8" width="18" height="8" rx="1.500"/><rect x="9" y="8" width="6" height="8" fill="#000000"/>'
    '<path d="M9 4.500v15M15 4.500v15" stroke-width="1.100"/>',
    "Softmax": '<path d="M5 20v-3M10 20v-5M14.500 20V5M19.500 20v-4" stroke-width="3"/>',
    "LogSoftmax": '<path d="M5 5v12M10 5v8M14.500 5v3M19.500 5v10" stroke-width="3"/>',
    "WidthSum": '<rect x="3" y="4" width="5" height="16" rx="1.500"/><path d="M3 9.300h5M3 14.600h5M10 12h4"/>'
    '<path d="M20.500 8.500V7.500h-5l2.800 4.500-2.800 4.500h5v-1" stroke-width="1.400"/>',
    "WidthMean": '<rect x="3" y="4" width="5" height="16" rx="1.500"/><path d="M3 9.300h5M3 14.600h5M10 12h4"/>'
    '<path d="M15.500 8h5M15.500 16l2.500-4 2.500 4" stroke-width="1.400"/>',
    # Losses
    "CrossEntropy": '<path d="M5 20v-6M10.500 20V5M16 20v-9" stroke-width="3"/><path d="M7.500 5h6" stroke-width="1.200"/>' + _dots((20.5, 5)),
    "MeanSquaredError": '<path d="M3 17 21 8"/><path d="M7 15v-6h-3M16 10.500v6h3.500" stroke-width="1.200"/>' + _dots((7, 8), (16, 17.5)),
    "MeanAbsoluteError": '<path d="M3 17 21 8"/><path d="M7 15V8M16 10.500v7" stroke-width="1.200"/>' + _dots((7, 7), (16, 18.5)),
    "BinaryCrossEntropy": '<path d="M4 4c1 10 4 14 16 15" /><path d="M20 4C19 14 16 18 4 19" opacity="0.550"/>',
    "Huber": '<path d="M3 5 8 14c2.500 4.500 5.500 4.500 8 0l5-9"/><path d="M8 14v5M16 14v5" stroke-width="0.900"/>',
    "GaussianLikelihood": '<path d="M3 18c4 0 5-12 9-12s5 12 9 12"/>' + _dots((15.5, 10)),
    "Ctc": '<path d="M3 8h4M10 8h4M17 8h4" stroke-width="3"/><path d="M5 10l4 5M12 10v5M19 10l-4 5" stroke-width="1"/>'
    '<path d="M7 17.500h3M14 17.500h3" stroke-width="3"/>',
    # Ports of a cell
    "CellInput": '<path d="M13 5h5a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2h-5M3 12h11m-3.500-3.500L14 12l-3.500 3.500"/>',
    "CellOutput": '<path d="M11 5H6a2 2 0 0 0-2 2v10a2 2 0 0 0 2 2h5M10 12h11m-3.500-3.500L21 12l-3.500 3.500"/>',
}  # fmt: skip

HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" viewBox="0 0 24 24" fill="none" stroke="#000000" '
    'stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round">'
)


def glyph(kind: str) -> str | None:
    """The SVG of a kind in black; None for a kind of a plugin, which shows its symbol or a card."""
    body = GLYPHS.get(kind)
    return f"{HEAD}{body}</svg>" if body is not None else None
