"""What an exported file offers beside the network itself: text in and out, or forecasts in the file's own units.

Each is printed only where the studio does the same with the model, so that the two can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..compiler.program import Loss, Program
from ..compiler.prune import needs
from ..data.bytepair import BytePairs
from ..data.vocabulary import UNKNOWN, Vocabulary, vocabulary_of
from ..design.errors import StudioError
from ..design.recipe import DataRecipe, FieldSpec
from ..runtime.generate import why_not
from ..runtime.stepper import Plan, plan
from .spelling import Spelling, spelling_of

LOAD = '''

SOURCE = "{source}"


def load(weights=None):
    """The trained model and its data's description: vocabulary and scaling of each field.

    weights: path of the .safetensors file; None: the one beside this file.
    """
    path = Path(weights) if weights else Path(__file__).with_suffix(".safetensors")
    with safe_open(path, framework="pt") as file:
        data = json.loads(file.metadata()["rnnstudio"])
        if data.get("source", SOURCE) != SOURCE:
            raise ValueError(f"{{path}} holds the weights of another export: export the network again")
        model = {name}()
        model.load_state_dict({{key: file.get_tensor(key) for key in file.keys()}})
    return model.eval(), data
'''

_ENCODE = '''

def pieces({given}):
    """A text in the pieces that the vocabulary numbers."""
{pieces}

def join(pieces):
    """Pieces as text."""
{join}

def encode(text, data):
    """[1, n] token numbers of a text. What the vocabulary lacks is its unknown token, or raises ValueError."""
    vocabulary = data["fields"]["{field}"]["vocabulary"]
    numbers = {{token: i for i, token in enumerate(vocabulary)}}
    found = [numbers.get(piece, numbers.get("{unknown}")) for piece in pieces({given})]
    if None in found:
        missing = sorted({{piece for piece in pieces({given}) if piece not in numbers}})
        raise ValueError(f"the vocabulary of {{len(vocabulary)}} {level} has no {{', '.join(map(repr, missing))}}")
    return torch.tensor([found], dtype=torch.int64)


def following(prompt, tokens, data):
    """What stands behind a prompt for these tokens, with the space that belongs between them."""
    vocabulary = data["fields"]["{field}"]["vocabulary"]
    written = [vocabulary[token] for token in tokens]
{following}

def generate(model, tokens, length=300, temperature=0.8, seed=0):
    """`length` token numbers that follow `tokens`, [1, n]; temperature 0 takes the most likely one."""
    if not 0 <= temperature < float("inf"):
        raise ValueError(f"the temperature {{temperature}} is no number from 0 on")
    generator = torch.Generator().manual_seed(seed)
    state, written = None, []
    with torch.no_grad():
        for _ in range(length):
            {read}
            last = logits[0, -1].double()
            if temperature == 0:
                token = int(last.argmax())
            else:
                token = int(torch.multinomial(torch.softmax(last / temperature, -1), 1, generator=generator))
            written.append(token)
            {go_on}
    return written


def write(prompt, length=300, temperature=0.8, seed=0, weights=None):
    """The prompt and the text the model writes after it, `length` tokens; temperature 0 takes the most likely token.

    An empty prompt stands for a line end, or the vocabulary's first entry.
    """
    model, data = load(weights)
    tokens = encode(prompt, data)
    if tokens.shape[1] == 0:
        vocabulary = data["fields"]["{field}"]["vocabulary"]
        tokens = torch.tensor([[vocabulary.index({line_end}) if {line_end} in vocabulary else 0]])
    return prompt + following(prompt, generate(model, tokens, length, temperature, seed), data)


def main(arguments=None):
    """What this file does as a command."""
    import argparse

    parser = argparse.ArgumentParser(description="Write text with the trained model.")
    parser.add_argument("prompt", nargs="?", default="")
    parser.add_argument("--length", type=int, default=300)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--seed", type=int, default=0)
    text = write(**vars(parser.parse_args(arguments)))
    print(text)
    return text


if __name__ == "__main__":
    main()
'''

_BEHIND = """    if not prompt or prompt[-1].isspace():
        return join(written)
    before = {pieces}[-1:]
    return join(before + written).removeprefix(join(before))
"""

_STEP_BY_STEP = {
    "read": "logits, state = model(tokens, state=state)",
    "go_on": "tokens = torch.tensor([[token]])",
}
_ALL_AGAIN = {  # a model that attends to its own past needs all of it
    "read": "logits, state = model(tokens)",
    "go_on": "tokens = torch.cat([tokens, torch.tensor([[token]])], 1)",
}

_SERIES = '''

def scaled(rows, field):
    """The file's units as the network sees them. Scaling is in float64: large offsets keep their digits."""
    rows = torch.as_tensor(rows, dtype=torch.float64)
    if rows.dim() != 2 or not len(rows) or rows.shape[1] != field["size"]:
        raise ValueError(f"rows of {{field['size']}} numbers are needed: {{', '.join(field['columns'])}}")
    return ((rows - torch.tensor(field["mean"], dtype=torch.float64))
            / torch.tensor(field["std"], dtype=torch.float64)).float()


def unscaled(values, field):
    """The network's numbers in the file's units, float64."""
    return (values.double() * torch.tensor(field["std"], dtype=torch.float64)
            + torch.tensor(field["mean"], dtype=torch.float64))


def forecast(rows, weights=None):
    """The network's answer to a series, in the file's own units.

    rows: one list of numbers a step, in the order of the input columns. Returns {returns}{meaning}.
    """
    model, data = load(weights)
    given, wanted = data["fields"]["{field}"], data["fields"]["{target}"]
    with torch.no_grad():
        y, _ = model(scaled(rows, given)[None])
    return unscaled(y[0]{link}, wanted).tolist()
'''

_AHEAD = '''

def forecast_ahead(rows, steps, weights=None):
    """What comes in the `steps` steps after the rows, in the file's units: each is read back as if it had happened."""
    model, data = load(weights)
    given, wanted = data["fields"]["{field}"], data["fields"]["{target}"]
    x, state, found = scaled(rows, given)[None], None, []
    with torch.no_grad():
        for _ in range(steps):
            {read}
            last = y[:, -1:]{link}
            found.append(last[0, 0])
            {go_on}
    return unscaled(torch.stack(found), wanted).tolist() if found else []
'''
_AHEAD_BY_STEP = {"read": "y, state = model(x, state=state)", "go_on": "x = last"}
_AHEAD_ALL_AGAIN = {"read": "y, _ = model(x)", "go_on": "x = torch.cat([x, last], 1)"}


@dataclass(frozen=True)
class Texts:
    """A language model. field: what it reads and writes; level: what its vocabulary numbers."""

    field: str
    vocabulary: Vocabulary
    looks_back: bool
    names = ("load", "forward", "pieces", "join", "encode", "following", "generate", "write", "main")

    @property
    def spelling(self) -> Spelling:
        found = spelling_of(self.vocabulary, self.field)
        assert found is not None
        return found

    @property
    def by_merges(self) -> bool:
        """Whether `pieces` needs the data's description, too: the merges stand there."""
        return isinstance(self.vocabulary.tokeniser, BytePairs)

    def source(self) -> str:
        spelling = self.spelling
        behind = _BEHIND.format(pieces=f"pieces({spelling.given.replace('text', 'prompt', 1)})")
        text = _ENCODE.format(
            given=spelling.given,
            pieces=spelling.pieces,
            join=spelling.join,
            following=behind if spelling.spaces else "    return join(written)\n",
            field=self.field,
            unknown=UNKNOWN,
            line_end=repr(self.vocabulary.line_end),
            level=self.vocabulary.level,
            **(_ALL_AGAIN if self.looks_back else _STEP_BY_STEP),
        )
        return f"\n\n{spelling.head}{text}" if spelling.head else text


@dataclass(frozen=True)
class Numbers:
    """A forecaster. ahead: whether it goes on with what it predicts."""

    given: FieldSpec
    wanted: FieldSpec
    loss: Loss
    ahead: bool
    looks_back: bool

    @property
    def names(self) -> tuple[str, ...]:
        return ("load", "forward", "scaled", "unscaled", "forecast", *(["forecast_ahead"] if self.ahead else []))

    def source(self) -> str:
        link = ".sigmoid()" if self.loss.link == "sigmoid" else ""
        named = {"field": self.given.name, "target": self.wanted.name, "link": link}
        each = "a list of numbers for each step: what comes after it"
        returns = each if self.wanted.axis is not None else "what is said of all of them, a list of numbers"
        text = _SERIES.format(returns=returns, meaning=", as probabilities" if link else "", **named)
        if self.ahead:
            text += _AHEAD.format(**named, **(_AHEAD_ALL_AGAIN if self.looks_back else _AHEAD_BY_STEP))
        return text


def offered(program: Program, recipe: DataRecipe | None) -> Texts | Numbers | None:
    """What the file of a program offers beside the network; None where that says all.

    The file's network must read one field and give the very prediction that the studio goes by.
    """
    inputs = needs(program, program.outputs.values()).inputs
    if recipe is None or len(inputs) != 1 or len(program.outputs) != 1:
        return None
    (output,) = program.outputs.values()
    specs = {spec.name: spec for spec in recipe.fields}
    spec = specs.get(inputs[0].field)
    if spec is None:
        return None
    way = _plan(program)
    if not why_not(program):
        if way is None or way.fed is None or way.loss.prediction != output or not spec.vocabulary:
            return None
        vocabulary = vocabulary_of(recipe, spec.name)
        return Texts(spec.name, vocabulary, way.looks_back) if spelling_of(vocabulary, spec.name) else None
    if spec.content != "real" or spec.axis is None:
        return None
    for loss in program.losses:
        target = next((item for item in program.inputs if item.name == loss.target), None)
        wanted = specs.get(target.field) if target is not None else None
        if loss.prediction == output and wanted is not None and wanted.content == "real":
            ahead = way is not None and way.fed is not None and way.loss == loss
            return Numbers(spec, wanted, loss, ahead, way is not None and way.looks_back)
    return None


def _plan(program: Program) -> Plan | None:
    try:
        return plan(program)
    except StudioError:
        return None  # it does not go on with what it predicts


def described(
    program: Program, recipe: DataRecipe | None, offer: Texts | Numbers | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """For each field that a program uses: what a user of the model, and what is offered, must know of it."""
    used = {item.field for item in program.inputs}
    for spec in recipe.fields if recipe is not None else ():
        if spec.name not in used:
            continue
        facts: dict[str, Any] = {"content": spec.content, "size": spec.size}
        if spec.content == "tokens":
            facts["vocabulary"] = list(spec.vocabulary)
            if isinstance(offer, Texts) and isinstance(offer.vocabulary.tokeniser, BytePairs):
                facts["merges"] = list(offer.vocabulary.tokeniser.merges)
        else:
            facts["columns"] = list(spec.columns)
            facts["mean"] = list(spec.mean) or [0.0] * spec.size
            facts["std"] = list(spec.std) or [1.0] * spec.size
        yield spec.name, facts
