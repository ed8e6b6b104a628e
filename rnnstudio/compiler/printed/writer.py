"""What the parts of the printed source share: which variable holds what, and the expressions for masks and lengths."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterator, Sequence

from ...catalog.primitives import Op
from ...catalog.trees import CHILDREN
from ..carrying import states_that_go_on
from ..program import Program, parents_field
from .names import RESERVED, identifier, parameter_names

HELPERS = {
    "valid_steps": '''\
def valid_steps(lengths, axis, size, like):
    """[size, batch] bool: which steps are an example's own; None when all are."""
    if lengths is None or axis not in lengths or bool((lengths[axis] >= size).all()):
        return None
    return torch.arange(size, device=like.device)[:, None] < lengths[axis].to(like.device)[None, :]
''',
    "own_length": '''\
def own_length(lengths, axis, size, batch, like):
    """[batch]: how many steps of the axis each example has."""
    if lengths is None or axis not in lengths:
        return torch.full((batch,), size, device=like.device)
    return lengths[axis].to(like.device)
''',
    "shaped": '''\
def shaped(mask, *shape):
    """A mask reshaped to broadcast; None stays None."""
    return None if mask is None else mask.reshape(shape)
''',
}


class Writer:
    """Lives while one program is printed.

    names: value of the program (or a key of the source's own) → the variable that holds it now.
    batch, lengths: expressions for the size of the batch and the lengths; a loop over a tree has its own.
    loops: axis of a loop around the present line → (the variable of its step, that of its mask).
    helpers: the functions that have to stand in front of the class. taken: names that no variable may have.
    going_on: states with which a call goes on from the call before.
    """

    def __init__(self, program: Program, taken: Sequence[str]) -> None:
        self.program = program
        self.taken = {*RESERVED, *taken}
        self.batch, self.lengths = "batch", "lengths"
        self.parameters = parameter_names(program)
        self.names: dict[str, str] = {}
        self.helpers: set[str] = set()
        self.axes: dict[str, str] = {}
        self.loops: dict[str, tuple[str, str]] = {}
        self.arguments: list[str] = []
        self.going_on = states_that_go_on(program)
        for axis in (*program.axes, *(axis + CHILDREN for axis in program.trees)):
            self.axes[axis] = self.variable(f"axis {axis}", f"{axis}_size")
        for axis in program.trees:
            self.variable(f"parents of {axis}", parents_field(program.axes[axis]))
        for item in program.inputs:
            self.variable(item.name, item.field)

    def variable(self, key: str, wanted: str | None = None) -> str:
        """The variable that holds a value; a new one is called like `wanted`, or like the value."""
        if key not in self.names:
            name = identifier((wanted or key).replace("/", "_"))
            name = name if not name[0].isdigit() else f"v{name}"
            if keyword.iskeyword(name) or name in self.taken:
                name += "_"
            while name in self.names.values():
                name += "_"
            self.names[key] = name
        return self.names[key]

    def anew(self, wanted: str) -> str:
        """A variable called like `wanted` that nothing uses yet; the caller keeps it in `names`."""
        while wanted in self.names.values():
            wanted += "_"
        return wanted

    @property
    def inside(self) -> bool:
        """Whether the present line stands in a loop."""
        return bool(self.loops) or self.batch != "batch"

    def parameter(self, path: str) -> str:
        """`self.name` of a parameter."""
        return f"self.{self.parameters[path]}"

    def size(self, axis: str) -> str:
        """The variable that holds the length of an axis."""
        return self.axes[axis]

    def data_axis(self, axis: str) -> str:
        return self.program.axes.get(axis, axis)

    def forest(self, axis: str) -> str:
        """The variable that holds the trees of an axis."""
        return self.variable(f"forest of {axis}", axis)

    def mask(self, axis: str, axes: Sequence[str], like: str) -> tuple[str, str]:
        """The call that gives the mask of an axis, and the shape that lets it broadcast over a value with `axes`."""
        self.helpers.add("valid_steps")
        shape = ["1"] * len(axes) + [self.batch, "1"]
        shape[list(axes).index(axis)] = self.axes[axis]
        return f'valid_steps({self.lengths}, "{self.data_axis(axis)}", {self.axes[axis]}, {like})', ", ".join(shape)

    def own(self, axis: str, axes: Sequence[str], like: str) -> str:
        """An expression: the mask of an axis over a value with `axes`, or None where everything is valid."""
        if axis in axes:
            call, shape = self.mask(axis, axes, like)
            self.helpers.add("shaped")
            return f"shaped({call}, {shape})"
        if axis in self.loops:
            t, valid = self.loops[axis]
            return f"None if {valid} is None else {valid}[{t}][:, None]"
        return "None"

    def length(self, axis: str, like: str) -> str:
        """An expression: [batch] own lengths of an axis."""
        self.helpers.add("own_length")
        return f'own_length({self.lengths}, "{self.data_axis(axis)}", {self.axes[axis]}, {self.batch}, {like})'

    def anything(self) -> str:
        """A tensor on the network's device: a parameter, or an argument of `forward`."""
        return f"self.{next(iter(self.parameters.values()))}" if self.parameters else self.arguments[0]

    def dtype(self) -> str:
        """The network's floating type."""
        some = next(iter(self.parameters.values()), None)
        return f"self.{some}.dtype" if some else "torch.get_default_dtype()"

    def zeros(self, width: int) -> str:
        """An expression: so many zeros."""
        if self.parameters:
            return f"{self.anything()}.new_zeros({width})"
        return f"torch.zeros({width}, dtype={self.dtype()}, device={self.anything()}.device)"


Form = Callable[[Writer, Op, str, list[str]], Iterator[str]]
"""(writer, op, the variable to set, the variables of its inputs) → lines."""


def one(expression: Callable[[Writer, Op, list[str]], str]) -> Form:
    """A form of one line."""

    def form(w: Writer, op: Op, name: str, a: list[str]) -> Iterator[str]:
        yield f"{name} = {expression(w, op, a)}"

    return form
