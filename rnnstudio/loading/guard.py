"""Nodes of plugins, in gloves: whatever goes wrong in one is told with the plugin's name, and nothing else stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..catalog.node import Context, Feature, Mistake, NodeKind, Params, Port, Signals
from ..catalog.primitives import Builder, Value
from ..design.errors import StudioError
from ..design.signals import Signal


class PluginFailed(StudioError):  # noqa: N818 - diagnostics are nouns
    """A node of a plugin cannot be compiled. code: of the diagnostic; where: the node's path."""

    code = "PluginFailed"


class GuardedKind(NodeKind):
    """The kind of a plugin. Its exceptions become diagnostics of its nodes, or a StudioError when it is compiled."""

    def __init__(self, kind: NodeKind, plugin: str) -> None:
        self.kind = kind
        self.plugin = plugin
        for name in NodeKind.__annotations__:
            setattr(self, name, getattr(kind, name))

    def input_ports(self, params: Params) -> tuple[Port, ...]:
        return self._ports(lambda: self.kind.input_ports(params), self.inputs)

    def output_ports(self, params: Params) -> tuple[Port, ...]:
        return self._ports(lambda: self.kind.output_ports(params), self.outputs)

    def infer(self, inputs: Signals, params: Params, context: Context) -> Mapping[str, Signal | None]:
        try:
            self.kind.input_ports(params)
            outputs = self.kind.infer(inputs, params, context)
        except Mistake:
            raise
        except Exception as error:
            raise Mistake("PluginFailed", self._told(error)) from error
        wrong = [p.name for p in self.output_ports(params) if not _is_signal(outputs, p.name)]
        if wrong:
            raise Mistake("PluginFailed", f"the plugin “{self.plugin}” gives no signal for “{wrong[0]}”")
        return outputs

    def handed_on(self, inputs: Mapping[str, Sequence[Feature]], params: Params) -> Sequence[Feature]:
        try:
            return tuple(self.kind.handed_on(inputs, params))
        except Exception:  # noqa: BLE001 (it then counts as a computation; what else is wrong with it, infer reports)
            return ()

    def build(self, builder: Builder, inputs: Mapping[str, Value], params: Params) -> Mapping[str, Value]:
        try:
            outputs = self.kind.build(builder, inputs, params)
        except StudioError:
            raise
        except Exception as error:
            raise self._failed(builder, self._told(error)) from error
        for port in self.output_ports(params):
            if not isinstance(outputs, Mapping) or not isinstance(outputs.get(port.name), Value):
                told = f"the plugin “{self.plugin}” builds no value for “{port.name}” of {self.title}"
                raise self._failed(builder, told)
        return outputs

    def _ports(self, ask: Any, fallback: tuple[Port, ...]) -> tuple[Port, ...]:
        """The ports, or the declared ones where asking fails: `infer` then tells why."""
        try:
            ports: tuple[Port, ...] = tuple(ask())
        except Exception:  # noqa: BLE001 (infer asks again, and reports it at the node)
            return fallback
        return ports

    def _told(self, error: Exception) -> str:
        return f"the plugin “{self.plugin}” failed: {type(error).__name__}: {error}"

    def _failed(self, builder: Builder, what: str) -> PluginFailed:
        path = str(getattr(builder, "path", self.title))  # of the node, where the compiler builds
        return PluginFailed(what, where=path, remedy="Report it to the plugin's author.")


def _is_signal(outputs: object, port: str) -> bool:
    if not isinstance(outputs, Mapping) or port not in outputs:
        return False
    return outputs[port] is None or isinstance(outputs[port], Signal)
