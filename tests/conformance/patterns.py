"""The field's patterns as small drawings without a file, and what tests do with each: check it, train it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from rnnstudio.catalog.catalog import standard
from rnnstudio.catalog.sketch import Sketch
from rnnstudio.compiler import Program, check, compile_design
from rnnstudio.design.design import CellDefinition, Design, Value, frozen
from rnnstudio.design.signals import Axis
from rnnstudio.runtime import Network

Example = tuple[dict[str, Tensor], dict[str, Tensor]]
"""Fields and lengths of a batch."""

NONE: Mapping[str, Value] = {}

Task = Callable[[int], Example]
"""The batch of a number: the same for the same number."""


class Pattern(Sketch):
    """A sketch with the ends that every pattern has: fields of a given size, and losses."""

    def tokens(self, name: str, size: int, axis: str = "time") -> str:
        return self.add(name, "TokenInput", at=(0, 0), params={"field": name, "size": size, "axis": axis})

    def reals(self, name: str, width: int, axis: str = "time") -> str:
        return self.add(name, "FeatureInput", at=(0, 0), params={"field": name, "size": width, "axis": axis})

    def label(self, name: str, size: int, axis: str = "time") -> str:
        return self.add(name, "TokenTarget", at=(8, 1), params={"field": name, "size": size, "axis": axis})

    def truth(self, name: str, width: int, axis: str = "time") -> str:
        return self.add(name, "FeatureTarget", at=(8, 1), params={"field": name, "size": width, "axis": axis})

    def linear(self, name: str, units: int, *sources: str, shared: str = "", **params: Value) -> str:
        ports = {"input" if i == 0 else f"input{i + 1}": source for i, source in enumerate(sources)}
        values: dict[str, Value] = {"units": units, "terms": len(sources), **params}
        return self.add(name, "Linear", at=(4, 0), params=values, shared=shared, **ports)

    def embed(self, name: str, units: int, source: str, shared: str = "") -> str:
        return self.add(name, "Embedding", at=(1, 0), params={"units": units}, shared=shared, input=source)

    def cell(
        self,
        name: str,
        kind: str,
        units: int,
        output: str = "h",
        *,
        more: Mapping[str, Value] = NONE,
        **inputs: str,
    ) -> str:
        """A cell of the library, with more parameters; returns its output port."""
        self.add(name, "cell", at=(3, 0), params={"cell": kind, "units": units, **more}, **inputs)
        return f"{name}.{output}"

    def classify(self, source: str, size: int, axis: str = "time", *, name: str = "y") -> None:
        """Linear scores of `source` and a cross-entropy against the field `name`."""
        self.linear("readout", size, source)
        self.label(name, size, axis)
        self.add("loss", "CrossEntropy", at=(9, 0), prediction="readout", target=name)

    def regress(self, prediction: str, width: int = 1, axis: str = "time") -> None:
        """A squared error of `prediction` against the field y."""
        self.truth("y", width, axis)
        self.add("loss", "MeanSquaredError", at=(9, 0), prediction=prediction, target="y")

    def drawn(self, *cells: CellDefinition, trees: Iterable[str] = ()) -> Design:
        """The design, with the library's cells it uses and these."""
        graph = self.graph()
        own = {cell.name: cell for cell in cells}
        used: dict[str, CellDefinition] = {}
        names = {str(node.params["cell"]) for node in graph.nodes.values() if node.kind == "cell"}
        for name in names:
            used |= {name: own[name]} if name in own else standard().definitions_for(name)
        axes = {name: Axis(name, "tree") for name in trees}
        return Design(name="pattern", graph=graph, cells=frozen(used), axes=frozen(axes))


def tagger(size: int = 3) -> Pattern:
    """A pattern that begins with the letters x, embedded."""
    s = Pattern()
    s.embed("letters", 6, s.tokens("x", size))
    return s


def firsts(number: int, longest: int = 8) -> Example:
    """Texts of four letters; the label of each is its first letter."""
    generator = drawn_from(number)
    x = torch.randint(4, (32, longest), generator=generator)
    return {"x": x, "y": x[:, 0]}, {"time": torch.randint(2, longest + 1, (32,), generator=generator)}


def songs(number: int) -> Example:
    """“aab” and “aac” by turns, from a random place: the next letter needs five letters of the past."""
    song = torch.tensor([0, 0, 1, 0, 0, 2])
    begin = torch.randint(6, (16, 1), generator=drawn_from(number))
    text = song[(begin + torch.arange(25)) % 6]
    return {"x": text[:, :-1], "y": text[:, 1:]}, {}


def compiled(design: Design, mode: str = "train", *, allowed: tuple[str, ...] = ()) -> Program:
    """The program of a design that check has nothing against, but what is allowed."""
    found = [d.code for d in check(design, standard()).diagnostics if d.severity in ("error", "warning")]
    assert [code for code in found if code not in allowed] == []
    return compile_design(design, standard(), mode)


def trained(
    design: Design, task: Task, steps: int, rate: float = 0.02, *, seed: int = 1, decay: float = 0.0
) -> Network:
    """A network after `steps` steps of Adam on batches 0, 1, 2 …, in evaluation mode."""
    network = Network(compiled(design), seed=seed)
    torch.manual_seed(seed)
    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.05, steps)
    for step in range(steps):
        fields, lengths = task(step)
        loss = network.losses(fields, lengths).total
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return network.eval()


def loss_of(network: Network, task: Task, number: int = 10_000) -> float:
    """The loss on a batch that no training has seen (where the task has more than one)."""
    with torch.no_grad():
        return float(network.losses(*task(number)).total)


def in_mode(network: Network, design: Design, mode: str) -> Network:
    """The network of the same drawing compiled in another mode, with the same weights."""
    other = Network(compile_design(design, standard(), mode)).eval()
    other.load_weights(network.weights)
    return other


def drawn_from(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def one_hot(tokens: Tensor, size: int) -> Tensor:
    return torch.nn.functional.one_hot(tokens, size).float()
