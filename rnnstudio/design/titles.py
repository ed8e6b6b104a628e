"""What a node of a cell is called where nobody has named it: the cell's own name, which follows when that changes."""

from __future__ import annotations

import re

from .design import Node


def is_default(node: Node, cell: str) -> bool:
    """Whether a node of a cell was never named: its title is the cell's name, or its id was made from that."""
    return node.title == cell or (not node.title and _plain(node.id) == _plain(cell))


def retitled(node: Node, old: str, new: str) -> Node:
    """The node after its cell got another name: a title that was the old name is the new one."""
    if not is_default(node, old):
        return node
    return node.replace(title="" if _plain(node.id) == _plain(new) else new)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower().rstrip("0123456789")
