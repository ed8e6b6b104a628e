"""The nodes of a proposal, put together from the fields that go in and the targets that come out.

Along the axis of a target that inputs have, too, a loop reads them: one way where what is predicted lies ahead or the
series is numbers, both ways where words get tags, from the leaves up in a tree. A target without an axis reads the last
states, or the root's; one along an axis of its own is written step by step, looking at what was read by attention.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..catalog.catalog import Catalog
from ..catalog.node import letter
from ..design.design import Value, Var
from ..design.recipe import FieldSpec
from .pen import Pen
from .sizes import Amount
from .style import Style

END = "</s>"
"""What readers end a written sequence with: it also stands before the first token."""
HIDDEN, EMBEDDING = Var("hidden"), Var("embedding")


class Drawing:
    """What is drawn so far. what: the design in words; causal: no node looks ahead; embedded: fields with a table;
    variables: sizes of its own."""

    def __init__(
        self,
        inputs: Sequence[FieldSpec],
        trees: Sequence[str],
        amount: Amount,
        catalog: Catalog,
        style: Style,
    ) -> None:
        self.pen = Pen(catalog)
        self._style = style
        self.what = ""
        self.causal = True
        self.embedded: list[FieldSpec] = []
        self.variables: dict[str, int] = {}
        self._trees = trees
        self._amount = amount
        self._vectors: dict[str | None, list[str]] = {}
        """By axis: what was read along it, one vector a step (None: one an example)."""
        self._states: dict[tuple[str, bool], str] = {}
        for spec in inputs:
            self._vectors.setdefault(spec.axis, []).append(self._read(spec))

    def head(self, target: FieldSpec) -> None:
        """Draw all that predicts a target, and its loss."""
        axis = target.axis
        if axis is None:
            before, what = self._whole(), self._of_the_whole(target)
        elif axis in self._vectors:
            before, what = self._along(axis, target), self._step_by_step(target)
        elif self._is_unaligned(target):
            self._hear(target)
            return
        else:
            self._write(target)
            return
        below = self.pen.rows
        scores = self._readout(target, before)
        truth = self._truth(target, below, (before,))
        self._loss(target, scores, truth)
        self.what = self.what or what

    # --- what is given

    def _read(self, spec: FieldSpec) -> str:
        row = self.pen.rows
        params: dict[str, Value] = {"field": spec.name, "axis": spec.axis or ""}
        if spec.content != "tokens":
            return self.pen.node("FeatureInput", spec.name, params, row=row)
        self.embedded.append(spec)
        read = self.pen.node("TokenInput", spec.name, params, row=row)
        return self.pen.node("Embedding", "embedding", {"units": EMBEDDING}, input=read)

    def _truth(self, spec: FieldSpec, row: int, right_of: Sequence[str] = ()) -> str:
        kind = "TokenTarget" if spec.content == "tokens" else "FeatureTarget"
        return self.pen.node(kind, spec.name, {"field": spec.name, "axis": spec.axis or ""}, row=row, right_of=right_of)

    # --- what is made of it

    def _joined(self, parts: Sequence[str]) -> str:
        if len(parts) == 1:
            return parts[0]
        ports = {letter(place): part for place, part in enumerate(parts)}
        return self.pen.node("Concat", "both" if len(parts) == 2 else "all", {"terms": len(parts)}, inputs=ports)

    def _states_of(self, axis: str, *, both_ways: bool) -> str:
        """The states of a loop along an axis, drawn once."""
        key = (axis, both_ways)
        if key not in self._states:
            name = "tree" if axis in self._trees else "reads" if both_ways else "memory"
            states = self._joined(self._vectors[axis])
            for _ in range(self._style.depth):
                if axis in self._trees:
                    states = self._layer(self._style.tree_cell, name, states)
                elif both_ways:
                    states = self._both(self._style.cell or "GRU", name, states)
                else:
                    states = self._layer(self._style.cell or "LSTM", name, states)
            self._states[key] = states
        return self._states[key]

    def _layer(self, cell: str, name: str, x: str, title: str = "") -> str:
        return self.pen.node(cell, name, {"units": HIDDEN}, title=title or cell, out="h", x=x)

    def _both(self, cell: str, name: str, x: str) -> str:
        """A loop from each end, side by side: the library's cell of that kind, or drawn with two."""
        if self.pen.knows(f"Bidirectional{cell}"):
            return self._layer(f"Bidirectional{cell}", name, x)
        ahead = self._layer(cell, f"{name}_forward", x, f"{cell} →")
        turned = self.pen.node("Reverse", f"{name}_turned", input=x)
        back = self._layer(cell, f"{name}_backward", turned, f"{cell} ←")
        return self._joined([ahead, self.pen.node("Reverse", f"{name}_back", input=back)])

    def _summary(self, axis: str) -> str:
        """One vector for all that stands along an axis."""
        tree = axis in self._trees
        both_ways = bool(self._style.both_ways) and not tree
        states = self._states_of(axis, both_ways=both_ways)
        # The last step of the loop that runs back has seen nothing but itself.
        kind, name = ("Root", "root") if tree else ("Mean", "mean") if both_ways else ("Last", "end")
        return self.pen.node(kind, name, {"axis": axis}, input=states)

    def _whole(self) -> str:
        """One vector for an example, of all that is given."""
        parts = [self._summary(axis) for axis in self._vectors if axis is not None]
        given = self._vectors.get(None, [])
        if not given:
            return self._joined(parts)
        layer = self.pen.node("Linear", "layer", {"units": HIDDEN}, input=self._joined([*parts, *given]))
        return self.pen.node("Relu", "active", input=layer)

    def _along(self, axis: str, target: FieldSpec) -> str:
        """A vector for each step of the target's axis, of all that is given."""
        both_ways = self._both_ways(target)
        self.causal = self.causal and not both_ways
        states = self._states_of(axis, both_ways=both_ways)
        others = [self._summary(other) for other in self._vectors if other not in (axis, None)]
        return self._joined([states, *others, *self._vectors.get(None, [])])

    def _both_ways(self, target: FieldSpec) -> bool:
        """Words and the tags beside them: the whole sentence is there. What lies ahead must not be seen."""
        ahead = bool(target.shift or target.shift_of or target.causal)
        if self._style.both_ways is not None and not ahead and target.axis not in self._trees:
            return self._style.both_ways
        words = any(spec.axis == target.axis for spec in self.embedded)
        return target.content == "tokens" and words and not ahead and target.axis not in self._trees

    def _readout(self, target: FieldSpec, before: str) -> str:
        name = "scores" if target.content == "tokens" else "prediction"
        return self.pen.node("Linear", name, {"units": Var(f"{target.name}_size")}, input=before)

    def _loss(self, target: FieldSpec, scores: str, truth: str) -> None:
        kind = "CrossEntropy" if target.content == "tokens" else "MeanSquaredError"
        if self._is_yes_or_no(target):
            kind = "BinaryCrossEntropy"
        self.pen.node(kind, "loss", prediction=scores, target=truth)

    def _is_yes_or_no(self, target: FieldSpec) -> bool:
        """Whether all columns hold 0 and 1 alone, not all of them always the same.

        Of numbers between the two only those have the variance m(1 − m). What is left as it is in the file and lies
        between 0 and 1, both included, is taken at its word: a loss of probabilities takes that, too.
        """
        ends = list(zip(target.low, target.high, strict=True))
        if target.content != "real" or (0.0, 1.0) not in ends or not {e for pair in ends for e in pair} <= {0.0, 1.0}:
            return False
        for place in range(target.size):
            if target.is_scaled(place) and target.low[place] < target.high[place]:
                mean, std = target.mean[place], target.std[place]
                if not math.isclose(std * std, mean * (1 - mean), rel_tol=1e-3):
                    return False
        return True

    # --- labels that nobody aligned with what is read

    def _is_unaligned(self, target: FieldSpec) -> bool:
        """Tokens along an axis of their own that no end token closes, of a signal: where each belongs is not known."""
        axes = [axis for axis in self._vectors if axis is not None]
        signal = len(axes) == 1 and axes[0] not in self._trees and not self.embedded
        return signal and target.content == "tokens" and END not in target.vocabulary

    def _hear(self, target: FieldSpec) -> None:
        """A score for each label and the blank at every frame, and a loss that sums over the alignments."""
        self.causal = False
        axis = next(axis for axis in self._vectors if axis is not None)
        states = self._joined([self._states_of(axis, both_ways=True), *self._vectors.get(None, [])])
        size = f"{target.name}_scores"
        self.variables[size] = target.size + 1
        below = self.pen.rows
        scores = self.pen.node("Linear", "scores", {"units": Var(size)}, input=states)
        truth = self._truth(target, below, (scores,))
        self.pen.node("Ctc", "loss", prediction=scores, target=truth)
        self.what = self.what or "a net that hears labels which nobody aligned (CTC)"

    # --- what is written along an axis of its own

    def _write(self, target: FieldSpec) -> None:
        """A decoder fed with what it wrote: it begins with a vector, or looks along what was read at every step."""
        self.causal = False
        axis = next((a for a in self._vectors if a is not None and a not in self._trees), None)
        if not self._style.attention:
            axis = None
        others = [self._summary(other) for other in self._vectors if other not in (axis, None)]
        given = [*others, *self._vectors.get(None, [])]
        both_ways = self._style.both_ways is not False
        memory = self._states_of(axis, both_ways=both_ways) if axis is not None else ""
        vector = self._joined(given) if given else ""
        row = self.pen.rows
        truth = self._truth(target, row)
        first = target.vocabulary.index(END) if END in target.vocabulary else 0
        tokens = target.content == "tokens"
        before = self.pen.node("Feedback", "before", {"first": first} if tokens else {}, target=truth)
        written = before
        if tokens:
            self.embedded.append(target)
            written = self.pen.node("Embedding", "written", {"units": EMBEDDING}, input=before)
        states = self._writer(written, memory, vector)
        scores = self._readout(target, states)
        self.pen.wire(scores, f"{before.partition('.')[0]}.prediction")
        self._loss(target, scores, truth)
        read = any(other is not None for other in self._vectors)
        what = "a decoder that makes a sequence of a vector"
        if memory or read:
            what = "an encoder–decoder" + (" with attention" if memory else "")
        self.what = self.what or what

    def _writer(self, written: str, memory: str, vector: str) -> str:
        """What the scores of a written step are read from. memory: states to look along; vector: for every step."""
        kind = self._style.cell or "GRU"
        units: dict[str, Value] = {"units": HIDDEN}
        if kind == "GRU" and memory:
            x = self._joined([written, vector]) if vector else written
            cell = "AttentionDecoder"
            states = self.pen.node(cell, "decoder", units, title=cell, out="h", x=x, memory=memory)
            return self._joined([states, f"{states.partition('.')[0]}.context"])
        if kind == "GRU":
            return self.pen.node("Decoder", "decoder", units, title="Decoder", out="h", x=written, given=vector)
        if vector:
            told = self.pen.node("Repeat", "told", input=vector, along=written)
            written = self._joined([written, told])
        states = self._layer(kind, "decoder", written)
        if not memory:
            return states
        looked = self.pen.node("Attention", "context", query=states, keys=memory, values=memory)
        return self._joined([states, looked])

    # --- in words

    def _of_the_whole(self, target: FieldSpec) -> str:
        axes = [axis for axis in self._vectors if axis is not None]
        of = "trees" if any(axis in self._trees for axis in axes) else "sequences" if axes else "vectors"
        classes = target.content == "tokens" or self._is_yes_or_no(target)
        return f"a {'classifier' if classes else 'regression'} of {of}"

    def _step_by_step(self, target: FieldSpec) -> str:
        if target.axis in self._trees:
            return "a recursive net with an answer at every node of a tree"
        if target.shift_of and target.content == "tokens":
            return "a language model"
        if self._both_ways(target):
            return "a tagger that reads both ways"
        if target.shift or target.shift_of:
            return "a forecaster"
        return "a net with an answer at every step"
