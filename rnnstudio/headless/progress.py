"""A training in a terminal: one bar that moves, and a line for what is worth keeping."""

from __future__ import annotations

import math
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ..training import events as ev
from ..training.runs import as_text


class Progress:
    """Shows a trainer's events. Where there is no terminal, only the lines are printed."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bar = Bar(
            TextColumn("step {task.completed:,}/{task.total:,}"),
            BarColumn(),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task: TaskID | None = None
        self._last_line = -math.inf
        self._last_loop = ""
        self._unit = "tokens"

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def show(self, event: ev.Event) -> None:
        match event:
            case ev.Started():
                self.task = self.bar.add_task("", total=event.steps_total, completed=event.step, state="")
                self._unit = event.unit
                count = sum(event.parameters.values())
                self.console.print(f"{count:,} parameters on {event.device}, {event.threads} CPU threads")
                for line in event.lowerings:
                    self.console.print(f"  {line}", style="dim")
            case ev.LoopsChosen():
                for line in event.lowerings:
                    self.console.print(f"  {line}", style="dim", markup=False)
            case ev.Compiling():
                self._compiling(event)
            case ev.StepDone():
                self._step(event)
            case ev.Validated():
                self._validated(event)
            case ev.Sampled():
                self.console.print(as_text(event), style="italic", markup=False)
            case ev.Failed():
                self.console.print(f"{event.what}. {event.remedy}", style="red", markup=False)
            case ev.Log() | ev.LossGrew():
                self.console.print(event.text, style="yellow", markup=False)
            case ev.Finished():
                saved, cost = event.summary.get("checkpoints", 0.0), event.summary.get("checkpoint_seconds", 0.0)
                kept = f"; {saved:.0f} checkpoints took {cost:.1f} s" if saved else ""
                self.console.print(f"{_REASONS.get(event.reason, event.reason)} after {event.step:,} steps{kept}")
            case _:
                pass

    def _compiling(self, event: ev.Compiling) -> None:
        state = f"making machine code for {event.loop} …" if event.loop else ""
        if self.task is not None and self.console.is_terminal:
            self.bar.update(self.task, state=state)
        elif event.loop not in ("", self._last_loop):
            self._last_loop = event.loop
            self.console.print(f"{state[:1].upper()}{state[1:]}", style="dim", markup=False)

    def _step(self, event: ev.StepDone) -> None:
        state = f"loss {event.loss:.4f}  {event.tokens_per_second:,.0f} {self._unit}/s"
        if self.task is not None and self.console.is_terminal:
            self.bar.update(self.task, completed=event.step, state=state)
        elif event.seconds - self._last_line >= 10:
            self._last_line = event.seconds
            self.console.print(f"step {event.step:,}: {state}")

    def _validated(self, event: ev.Validated) -> None:
        words = [f"step {event.step:,}: {event.split} loss {event.loss:.4f}"]
        if event.perplexity is not None:
            words.append(f"perplexity {event.perplexity:.2f}")
            words.append(f"{event.loss / math.log(2):.3f} bits")
        if event.accuracy is not None:
            words.append(f"accuracy {event.accuracy:.1%}")
        if event.label_error_rate is not None:
            words.append(f"label error rate {event.label_error_rate:.1%}")
        self.console.print(", ".join(words) + (" (best so far)" if event.best else ""))


_REASONS = {"done": "Done", "stopped": "Stopped", "early": "Stopped early (no progress in validation)"}
