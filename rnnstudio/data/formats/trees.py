"""Trees: treebanks in brackets (Penn, Stanford sentiment), expressions, and the dependency trees of CoNLL-U."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rnnstudio.data.examples import Examples, Found, labels, numbers, tags, tokens, tree
from rnnstudio.data.formats.brackets import Bracket, brackets, opening
from rnnstudio.data.formats.dependencies import COLUMNS, sentences
from rnnstudio.data.formats.expressions import OPERATORS, compute, expression, known, number_of
from rnnstudio.data.formats.nodes import Node, leaves_first, make_binary, parents_of, without_chains
from rnnstudio.data.formats.pieces import learning_of, lowercase_option, min_count_option
from rnnstudio.data.options import encoding_option, option
from rnnstudio.data.problems import Problems
from rnnstudio.data.readers import Guess, Reader
from rnnstudio.data.source import Sample, Source
from rnnstudio.data.vocabulary import UNKNOWN
from rnnstudio.design.errors import StudioError

FORMS = ("treebank", "expressions", "dependencies")
VALUES = ("computed number", "computed label", "given number", "given label")
TRACE = "-NONE-"


@dataclass(frozen=True)
class TreeOptions:
    """A tree an example: its nodes lie along the axis `tree`, leaves first."""

    form: str = option(
        "treebank",
        "(LABEL WORD) and (LABEL TREE …); expressions such as (+ 3 (* 2 4)) or [MAX 3 [MIN 2 4 ] ]; or the heads of "
        "CoNLL-U",
        choices=FORMS,
    )
    encoding: str = encoding_option()
    labels: str = option(
        "each node", "what has a label or a value to be said", title="say", choices=("each node", "root", "both")
    )
    value: str = option(
        "computed number", "what an expression comes to: computed, or given after a tab", choices=VALUES
    )
    relation: str = option("deprel", "the column of CoNLL-U that labels a word", choices=COLUMNS)
    binary: bool = option(
        False,
        "at most two children a node, for cells of two: further ones are joined from the left, chains are drawn "
        "together",
        title="make binary",
    )
    functions: bool = option(False, "keep what follows the category in a label, as in NP-SBJ")
    traces: bool = option(False, f"keep the empty elements of a treebank, labelled {TRACE}")
    bad_heads: str = option(
        "leave out",
        "what to do with a sentence whose heads make no tree: leave it out, or hang circles and further roots below "
        "the first root",
        choices=("leave out", "repair"),
    )
    lowercase: bool = lowercase_option()
    min_count: int = min_count_option()


class TreeReader(Reader):
    """Fields `tree_parents`, `word` (unknown where a node has none), and `label` or `value`; `root_label` beside."""

    name = "trees"
    title = "trees (brackets, dependencies)"
    what = "trees"
    suffixes = (".mrg", ".ptb", ".trees", ".tree", ".sexp")
    Options = TreeOptions
    parts = (0.8, 0.1, 0.1)
    beginnings = True
    portable = ("labels", "relation", "binary", "functions", "traces", "bad_heads", "lowercase", "min_count")

    def guess(self, sample: Sample) -> Guess | None:
        if sample.why_not is not None:
            return None
        rows = [line.rstrip("\n") for line in sample.lines]
        full = [row for row in rows if row.strip() and not row.startswith("#")]
        if not full:
            return None
        if all(row.count("\t") == 9 for row in full) and full[0].split("\t")[6].isdecimal():
            made = TreeOptions("dependencies", sample.encoding)
            return Guess(0.6, made, self.parts, "the heads of CoNLL-U make a tree of each sentence")
        first = next((row for row in full if not row.startswith(";")), "").lstrip()
        square = opening(full) == "["
        if not square and not first.startswith("(") and not first.partition("\t")[2].lstrip().startswith("("):
            return None
        doubts = Problems(sample.shown)
        found = list(brackets(rows, doubts, ";" if full[0].startswith(";") else ""))
        clean = doubts.errors == 0 or (doubts.errors == 1 and not sample.whole)
        named = sample.suffix in self.suffixes
        if not found or not (clean or named):
            return None
        if square and not all(map(_is_called, found)):
            return None  # a list of numbers, as JSON has them
        banked = all(map(_is_treebank, found)) and not any(each.after for each in found)
        if banked and not all(map(_of_operators, found)):
            return Guess(0.92, TreeOptions("treebank", sample.encoding), self.parts, "labelled trees in brackets")
        trees = [expression(each, doubts) for each in found]
        if not all(trees):
            return None
        made = TreeOptions("expressions", sample.encoding, *_value_of(found, [t for t in trees if t is not None]))
        return Guess(0.92, made, self.parts, "expressions in brackets, the operator first")

    def read(self, source: Source, options: TreeOptions, problems: Problems) -> Examples:
        lines = source.lines(options.encoding)
        if source.cut:
            lines = _of_whole_trees(lines, options.form)
        form = {"treebank": _treebank, "expressions": _expressions, "dependencies": _dependencies}[options.form]
        found = form(lines, options, problems)
        if not found:
            problems.raise_first()
            raise StudioError(
                "the file holds no tree",
                where=source.shown,
                remedy="Write (LABEL WORD) and (LABEL TREE TREE), or (OPERATOR ARGUMENT …), or choose another form.",
            )
        words = [[node.word.lower() if options.lowercase else node.word for node in nodes] for nodes in found]
        fields: list[Found] = [
            tree([parents_of(nodes) for nodes in found]),
            tokens("word", words, axis="tree", learning=learning_of("words", options.min_count)),
            *_targets(found, options),
        ]
        return Examples(
            fields,
            names=[f"tree {number}" for number in range(1, len(found) + 1)],
            lines=[min(node.line for node in nodes) for nodes in found],
            options=options,
            split_by="sequence",
            unit="nodes",
            excerpt="\n".join(" ".join(word for word in each if word != UNKNOWN) for each in words[:20]),
        )


def _of_whole_trees(lines: list[str], form: str) -> list[str]:
    """The beginning of a file without the tree at its end, which may be a part of one."""
    starts = [at for at, line in enumerate(lines) if (not line.strip() if form == "dependencies" else line[:1] == "(")]
    return lines[: starts[-1]] if len(starts) > 1 else lines


def _targets(found: Sequence[list[Node]], options: TreeOptions) -> list[Found]:
    """What is to be said: a label or a value, at each node, at the root, or both."""
    roots = [next(node for node, up in zip(nodes, parents_of(nodes), strict=True) if up < 0) for nodes in found]
    expressions = options.form == "expressions"
    each = options.labels != "root" and not (expressions and options.value.startswith("given"))
    root = options.labels != "each node" or not each
    made: list[Found] = []
    if expressions and options.value.endswith("number"):
        if each:
            values = [np.array([[node.value] for node in nodes]) for nodes in found]
            made.append(numbers("value", values, ("value",), "tree", role="target"))
        if root:
            name = "root_value" if each else "value"
            made.append(numbers(name, [np.array([node.value]) for node in roots], ("value",), None, role="target"))
        return made
    if each:
        made.append(tags("label", [[node.label for node in nodes] for nodes in found], axis="tree"))
    if root:
        made.append(labels("root_label" if each else "label", [node.label for node in roots]))
    return made


def _treebank(lines: Sequence[str], options: TreeOptions, problems: Problems) -> list[list[Node]]:
    found: list[list[Node]] = []
    dropped = 0
    for outer in brackets(lines, problems):
        if outer.after:
            problems.error(
                f"{outer.after[:40]!r} stands outside of brackets",
                line=outer.line,
                remedy="Put each tree in brackets.",
            )
            continue
        root = _labelled(outer, options, problems)
        if root is None:
            continue
        if not options.traces:
            dropped += _drop_traces(root)
        if root.children or root.word != UNKNOWN:
            found.append(leaves_first(make_binary(without_chains(root), False) if options.binary else root))
    if dropped:
        problems.ignore(f"{dropped} empty elements", TRACE)
    return found


def _labelled(outer: Bracket, options: TreeOptions, problems: Problems) -> Node | None:
    """The nodes of (LABEL WORD) and (LABEL TREE …). None where something is not so; it is told with its place."""
    while not outer.texts and len(outer.inner) == 1:  # ( (S …) ), as the Penn treebank is written
        outer = outer.inner[0]
    root = Node(line=outer.line, column=outer.column)
    waiting = [(outer, root)]
    while waiting:
        bracket, node = waiting.pop()
        texts, inner = bracket.texts, bracket.inner
        why = ""
        if not bracket.items or not isinstance(bracket.items[0], str):
            why = "a bracket has no label"
        elif len(texts) + len(inner) == 1:
            why = f"the node {texts[0][:40]!r} has neither a word nor children"
        elif len(texts) > 2 or (len(texts) == 2 and inner):
            why = f"the node {texts[0][:40]!r} has more than a word, or a word beside children"
        if why:
            remedy = "Write (LABEL WORD) or (LABEL TREE …)."
            problems.error(why, line=bracket.line, column=str(bracket.column), remedy=remedy)
            return None
        node.label = texts[0] if options.functions else _category(texts[0])
        node.word = texts[1] if len(texts) == 2 else UNKNOWN
        for below in inner:
            child = Node(line=below.line, column=below.column)
            node.children.append(child)
            waiting.append((below, child))
    return root


def _category(label: str) -> str:
    """NP of NP-SBJ-1 and of NP=2; -LRB- stays."""
    return label if label[0] in "-=" else label.split("-")[0].split("=")[0]


def _drop_traces(root: Node) -> int:
    """Takes the empty elements out, with the nodes that hold nothing else; how many elements there were."""
    dropped = 0
    for node in leaves_first(root):
        kept = [child for child in node.children if child.label != TRACE and (child.children or child.word != UNKNOWN)]
        dropped += sum(child.label == TRACE for child in node.children)
        node.children = kept
    return dropped


def _expressions(lines: Sequence[str], options: TreeOptions, problems: Problems) -> list[list[Node]]:
    found: list[list[Node]] = []
    given = options.value.startswith("given")
    for outer in brackets(lines, problems, ";"):
        root = expression(outer, problems)
        if root is None:
            continue
        if not (_give(root, outer, options.value, problems) if given else compute(root, problems)):
            continue
        if options.binary:
            make_binary(root, True)
        nodes = leaves_first(root)
        if not given:
            compute(root, problems)  # of the nodes that join: what the operator makes of what they join
            for node in nodes:
                node.label = f"{node.value:g}"
        found.append(nodes)
    return found


def _give(root: Node, outer: Bracket, value: str, problems: Problems) -> bool:
    """Gives the root what stands after the expression; whether it is there."""
    if not outer.after:
        problems.error(
            "no value is given after the expression", line=outer.line, remedy="Write it after a tab, or compute it."
        )
        return False
    root.label, root.value = outer.after, number_of(outer.after)
    if value == "given number" and root.value is None:
        problems.error(f"this is not a number: {outer.after[:40]!r}", line=outer.line)
        return False
    return True


def _dependencies(lines: Sequence[str], options: TreeOptions, problems: Problems) -> list[list[Node]]:
    found: list[list[Node]] = []
    for sentence in sentences(lines, options.relation, options.bad_heads == "repair", problems):
        parts = zip(sentence.words, sentence.labels, strict=True)
        nodes = [Node(word or UNKNOWN, label, line=sentence.line) for word, label in parts]
        for node, head in zip(nodes, sentence.heads, strict=True):
            if head >= 0:
                nodes[head].children.append(node)
        if options.binary:
            root = nodes[sentence.heads.index(-1)]
            nodes = leaves_first(make_binary(root, False))
        found.append(nodes)
    return found


def _is_treebank(outer: Bracket) -> bool:
    while not outer.texts and len(outer.inner) == 1:
        outer = outer.inner[0]
    waiting = [outer]
    while waiting:
        bracket = waiting.pop()
        texts, inner = bracket.texts, bracket.inner
        if not texts or not isinstance(bracket.items[0], str) or len(texts) != (1 if inner else 2):
            return False
        waiting += inner
    return True


def _is_called(outer: Bracket) -> bool:
    """Whether every bracket begins with a word or an operator, and no comma parts what stands in it."""
    waiting = [outer]
    while waiting:
        bracket = waiting.pop()
        first = bracket.items[0] if bracket.items else None
        if not isinstance(first, str) or not (first[0].isalpha() or first in OPERATORS):
            return False
        if any("," in text for text in bracket.texts):
            return False
        waiting += bracket.inner
    return True


def _of_operators(outer: Bracket) -> bool:
    """Whether every bracket begins with an operator that is known."""
    waiting = [outer]
    while waiting:
        bracket = waiting.pop()
        if not bracket.texts or bracket.texts[0].lower() not in OPERATORS:
            return False
        waiting += bracket.inner
    return True


def _value_of(found: Sequence[Bracket], trees: Sequence[Node]) -> tuple[str, str]:
    """Where the value comes from, and what kind it is: the options `labels` and `value`."""
    if all(each.after for each in found):
        whole = all(number_of(each.after) is not None for each in found)
        few = len({each.after for each in found}) <= max(2, len(found) // 4)
        return "root", "given number" if whole and not few else "given label"
    truths = {"and", "or", "xor", "not", "implies"}
    words = {node.word.lower() for root in trees for node in leaves_first(root) if node.children}
    if all(map(known, trees)) and words <= truths:
        return "each node", "computed label"
    return "each node", "computed number"
