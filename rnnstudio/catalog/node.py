"""What a kind of node is: ports, parameters, shape rule, formula, and its meaning in primitives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, ClassVar, TypeVar

from ..design.errors import shortened
from ..design.recipe import FieldSpec
from ..design.signals import Axis, Real, Signal, Tokens
from .primitives import Builder, Value

Params = Mapping[str, Any]
"""A node's parameters with variables replaced by numbers and defaults filled in."""

Signals = Mapping[str, Signal | None]
"""Signals by port; None where it is not known (yet)."""

Feature = TypeVar("Feature")
"""Whatever tells one feature of a signal from another."""


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a node. content: "real", "tokens", "any" or "loss" (a scalar).

    within: the least and the greatest value that mean anything here, as the file has them: such data is not scaled.
    """

    name: str
    doc: str = ""
    content: str = "real"
    optional: bool = False
    within: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter people set in the inspector.

    type: "int", "float", "bool", "choice", "text", "field" (a data field), "axis", "cell" or "ints" / "floats" (lists).
    An int or float takes a variable of the design instead of a number. title: said instead of the name, in the words
    of the field. unit: of the number ("steps"). zero: what 0 stands for ("from the data"). minor: seldom set, so the
    inspector folds it away.
    """

    name: str
    type: str
    default: Any
    doc: str = ""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    title: str = ""
    unit: str = ""
    zero: str = ""
    minor: bool = False

    @property
    def label(self) -> str:
        """What a person reads."""
        return self.title or self.name.replace("_", " ").capitalize()

    def problem(self, value: Any) -> str | None:
        """What is wrong with a value (variables already replaced), or None."""
        if self.type == "int" and (isinstance(value, bool) or not isinstance(value, int)):
            return f"“{self.name}” must be a whole number, not {shortened(value)}"
        if self.type == "float" and (isinstance(value, bool) or not isinstance(value, int | float)):
            return f"“{self.name}” must be a number, not {shortened(value)}"
        if self.type == "bool" and not isinstance(value, bool):
            return f"“{self.name}” must be on or off, not {shortened(value)}"
        if self.type in ("text", "field", "axis", "cell") and not isinstance(value, str):
            return f"“{self.name}” must be a text, not {shortened(value)}"
        if self.type in ("field", "axis") and value and not value.isidentifier():
            return f"“{self.name}” must be a name of letters, digits and _, not {shortened(value)}"
        if self.type == "choice" and value not in self.choices:
            return f"“{self.name}” must be one of {', '.join(self.choices)}, not {shortened(value)}"
        if self.type in ("ints", "floats"):
            plain = int if self.type == "ints" else int | float
            if not isinstance(value, tuple) or any(isinstance(v, bool) or not isinstance(v, plain) for v in value):
                what = "whole numbers" if self.type == "ints" else "numbers"
                return f"“{self.name}” must be a list of {what}, not {shortened(value)}"
            most = MOST[self.type.removesuffix("s")]
            if any(not _finite(v) or abs(v) > most for v in value):
                return f"the numbers of “{self.name}” must lie within ±{most:g}, not {shortened(value)}"
        if self.type in ("int", "float"):
            if not _finite(value):
                return f"“{self.name}” must be a finite number"
            if abs(value) > MOST[self.type]:
                return f"“{self.name}” must lie within ±{MOST[self.type]:g}, not {value:g}"
            if self.minimum is not None and value < self.minimum:
                return f"“{self.name}” must be at least {self.minimum:g}, not {value:g}"
            if self.maximum is not None and value > self.maximum:
                return f"“{self.name}” must be at most {self.maximum:g}, not {value:g}"
        return None


MOST = {"int": 2**31 - 1, "float": 1e30}
"""The largest numbers a parameter may be: whole ones stay below the sizes of tensors, and others finite in 32 bits when
they have been multiplied."""


def _finite(value: float) -> bool:
    try:
        return isfinite(value)
    except OverflowError:
        return False


class Mistake(Exception):  # noqa: N818 - diagnostics are nouns
    """A shape rule says no. Becomes a diagnostic at the node (and port, or parameter), with `code` as its kind.

    outputs: what the node gives all the same. While a loop's shapes are not final, a rule may complain for a moment:
    the loop must not wait for ever for a signal that does not depend on what it complains of.
    """

    def __init__(self, code: str, message: str, port: str = "", param: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.port = port
        self.param = param
        self.outputs: Signals = {}


@dataclass(frozen=True, slots=True)
class Context:
    """What a shape rule may know besides its inputs: the data's fields and the axes' settings."""

    fields: Mapping[str, FieldSpec]
    axes: Mapping[str, Axis]

    @property
    def trees(self) -> frozenset[str]:
        """The axes that are trees."""
        return frozenset(name for name, axis in self.axes.items() if axis.kind == "tree")


class NodeKind:
    """Base of all kinds. A kind has no state: one instance serves every node of that kind."""

    name: ClassVar[str]
    title: ClassVar[str]
    family: ClassVar[str]
    doc: ClassVar[str]
    formula: ClassVar[str] = ""
    source: ClassVar[str] = ""
    inputs: ClassVar[tuple[Port, ...]] = ()
    outputs: ClassVar[tuple[Port, ...]] = (Port("out"),)
    params: ClassVar[tuple[Param, ...]] = ()
    symbol: ClassVar[str] = ""
    """One or two characters drawn on a small node (σ, ×, +); "" draws a box with its title."""
    late_ports: ClassVar[tuple[str, ...]] = ()
    """Inputs read at an earlier or later step, so that a loop through them can run."""
    reads_axis: ClassVar[tuple[str, ...]] = ()
    """Inputs of which every step is read for each step of the output: what comes later too."""
    shape_only: ClassVar[tuple[str, ...]] = ()
    """Inputs of which only the axes matter, not the values."""
    masks: ClassVar[bool] = False
    """Whether its input `target` may have missing values, which it leaves out: of losses."""
    words: ClassVar[tuple[str, ...]] = ()
    """Other names people search for."""

    def whole_ports(self, params: Params, along: str) -> tuple[str, ...]:
        """As `reads_axis`, for a node with these parameters (as drawn: some may be missing) and steps of one axis."""
        return self.reads_axis

    def handed_on(self, inputs: Mapping[str, Sequence[Feature]], params: Params) -> Sequence[Feature]:
        """Which features of its inputs the output consists of, unchanged; empty where it computes something.

        inputs: by port, what each feature is. An output of as many features takes each from one of them.
        """
        return ()

    def follows_order(self, inputs: Signals, params: Params) -> str:
        """The axis whose steps it takes in their order, "" for none. Called with checked inputs."""
        return ""

    def input_ports(self, params: Params) -> tuple[Port, ...]:
        """The input ports a node with these parameters has. Must work with defaults and with wrong values."""
        return self.inputs

    def output_ports(self, params: Params) -> tuple[Port, ...]:
        return self.outputs

    def label_of(self, param: Param, params: Params) -> str:
        """What a parameter is called beside these values: a gain is the spectral radius where the start is one."""
        return param.label

    def idle_params(self, params: Params) -> frozenset[str]:
        """Parameters that change nothing beside these values (as drawn: some may be missing). Nobody is asked them."""
        return frozenset()

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        """Output signals from input signals. Called with None for what is not known yet. Raises Mistake."""
        raise NotImplementedError

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        """Write the meaning in primitives; all signals have been checked. Returns a value for each output port."""
        raise NotImplementedError


TERMS = 65
"""Inputs that a node of several can have: one of its own, and one for each child of a tree's node."""


def letter(index: int) -> str:
    """The name of an input by its number from 0: a, b … z, a2, b2 …"""
    name = "abcdefghijklmnopqrstuvwxyz"[index % 26]
    return name if index < 26 else f"{name}{index // 26 + 1}"


def counted(value: Any, low: int = 1, high: int = TERMS) -> int:
    """A number of ports from a parameter that may hold nonsense while it is being typed."""
    return min(max(value, low), high) if isinstance(value, int) and not isinstance(value, bool) else low


def need_real(signal: Signal, port: str) -> Real:
    if isinstance(signal.content, Tokens):
        raise Mistake(
            "TokensWhereFeaturesBelong",
            f"“{port}” needs features but gets tokens {signal.text()}: put an Embedding in between",
            port,
        )
    return signal.content


def need_steps(signal: Signal, port: str) -> None:
    """Raise Mistake for one value an example, where a node goes along an axis."""
    if not signal.axes:
        text = f"“{port}” is one value for each example, without steps: repeat it along an axis (Repeat)"
        raise Mistake("NoAxis", f"{text}, or leave this node out", port)


def need_tokens(signal: Signal, port: str) -> Tokens:
    if isinstance(signal.content, Real):
        raise Mistake(
            "FeaturesWhereTokensBelong",
            f"“{port}” needs tokens but gets features {signal.text()}: connect tokens, or use a node for features",
            port,
        )
    return signal.content


def joint_axes(signals: Mapping[str, Signal]) -> tuple[str, ...]:
    """The axes of a pointwise result: those of the first input with most axes, then any it lacks."""
    axes: tuple[str, ...] = max((s.axes for s in signals.values()), key=len, default=())
    for signal in signals.values():
        axes += tuple(a for a in signal.axes if a not in axes)
    return axes


def joint_width(signals: Mapping[str, Signal]) -> int:
    """The width of a pointwise result; a width of 1 broadcasts. Raises Mistake when widths clash."""
    width = 1
    first = ""
    for port, signal in signals.items():
        here = need_real(signal, port).width
        if here == 1 or here == width:
            continue
        if width != 1:
            raise Mistake(
                "WidthClash",
                f"“{first}” has width {width} but “{port}” has width {here}: "
                "make them equal, or put a Linear in between",
                port,
            )
        width, first = here, port
    return width
