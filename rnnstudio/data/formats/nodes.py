"""Trees before they are fields: nodes with a word, a label, a value, children; made binary, laid out leaves first."""

from __future__ import annotations

from dataclasses import dataclass, field

from rnnstudio.data.vocabulary import UNKNOWN

JOINED = "@"
"""In front of the label of a node that only joins two children."""


@dataclass
class Node:
    """word: "⁇" where the node has none of its own. value: what it comes to, None = not known."""

    word: str = UNKNOWN
    label: str = ""
    children: list[Node] = field(default_factory=list)
    value: float | None = None
    line: int = 0
    column: int = 0


def leaves_first(root: Node) -> list[Node]:
    """All nodes, each after its children, children in their order. No recursion: trees may be deep."""
    found: list[Node] = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting.extend(node.children)
    return found[::-1]


def parents_of(nodes: list[Node]) -> list[int]:
    """The place of each node's parent in the list, -1 at the root."""
    place = {id(node): number for number, node in enumerate(nodes)}
    parents = [-1] * len(nodes)
    for number, node in enumerate(nodes):
        for child in node.children:
            parents[place[id(child)]] = number
    return parents


def make_binary(root: Node, repeat_word: bool) -> Node:
    """The tree with at most two children a node: further ones are joined from the left, (a b c) as ((a b) c).

    repeat_word: whether the joining nodes have the word of the joined (an operator), or none.
    """
    for node in leaves_first(root):
        label = node.label if not node.label or node.label.startswith(JOINED) else JOINED + node.label
        while len(node.children) > 2:
            first, second, *rest = node.children
            word = node.word if repeat_word else UNKNOWN
            joined = Node(word, label, [first, second], line=node.line, column=node.column)
            node.children = [joined, *rest]
    return root


def without_chains(root: Node) -> Node:
    """The tree without nodes of one child: the upper label stays, the lower word and children."""
    for node in leaves_first(root):
        if len(node.children) == 1:
            only = node.children[0]
            node.word, node.children = only.word, only.children
    return root
