"""The operations of the pointwise graph as LLVM IR, lane by lane. Torch-free."""

from __future__ import annotations

from .canonical import Declined
from .expressions import Node
from .ir import Function

KNOWN = frozenset(("add", "subtract", "multiply", "divide", "maximum", "minimum", "prefer", "choose", "spread")) | {
    *("sigmoid", "tanh", "exp", "log", "softplus", "softplus_slope", "rsqrt", "total", "top"),
    *("relu", "abs", "square", "positive", "sign", "copy", "equal"),
}
_BINARY = {"add": "fadd", "subtract": "fsub", "multiply": "fmul", "divide": "fdiv"}


def arithmetic(f: Function, node: Node, args: list[str]) -> str:
    """The register of a node's value, a vector, from those of its arguments. Raises Declined for an unknown one."""
    t = f.target
    zero = t.splat(0.0)
    match node.op:
        case "const":
            return t.splat(node.data[0])
        case "add" | "subtract" | "multiply" | "divide":
            return f.op(_BINARY[node.op], *args)
        case "sigmoid" | "tanh" | "exp" | "log" | "softplus" | "softplus_slope":
            return f.call(f"rnn_{node.op}", args)
        case "spread" | "copy":
            return args[0]
        case "rsqrt":
            root = f.let(f"call {t.vector} @llvm.sqrt.{t.suffix}({t.vector} {args[0]})")
            return f.op("fdiv", t.splat(1.0), root)
        case "relu":
            return f.select("olt", args[0], zero, zero, args[0])
        case "abs":
            return f.select("olt", args[0], zero, f.let(f"fneg {t.vector} {args[0]}"), args[0])
        case "square":
            return f.op("fmul", args[0], args[0])
        case "positive":
            return f.select("ogt", args[0], zero, t.splat(1.0), zero)
        case "sign":
            below = f.select("olt", args[0], zero, t.splat(-1.0), zero)
            return f.select("ogt", args[0], zero, t.splat(1.0), below)
        case "maximum" | "minimum":
            compare = "ogt" if node.op == "maximum" else "olt"
            picked = f.select(compare, args[0], args[1], args[0], args[1])
            return f.select("uno", args[0], args[0], args[0], picked)
        case "prefer":
            tie = f.select("oeq", args[0], args[1], t.splat(0.5), zero)
            return f.select("ogt", args[0], args[1], t.splat(1.0), tie)
        case "equal":
            return f.select("oeq", args[0], args[1], t.splat(1.0), zero)
        case "choose":
            return f.select("une", args[0], zero, args[1], args[2])
    raise Declined(f"there is no machine code for {node.op}")
