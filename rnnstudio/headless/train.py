"""`rnnstudio train`: the trainer in this process, with a progress bar, and its result as words or JSON."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ..cli import DONE, FAILED, print_json
from ..data.dataset import Dataset
from ..data.whereabouts import changes
from ..design.design import Design
from ..design.errors import StudioError
from ..loading import load_plugins
from ..training import events as ev
from ..training.requests import interrupt_stops
from ..training.runs import Run
from ..training.settings import settings_from
from ..training.warm_start import WarmStart
from .design_file import DesignFile, apply_values, balance, balanced_of, bound_to, open_data, read_design
from .progress import Progress

if TYPE_CHECKING:
    from ..compiler.program import Program
    from ..training.trainer import Trainer


def train(options: argparse.Namespace) -> int:
    """Train as the options say. Returns the exit code."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if options.resume:
        if options.run is None:
            raise StudioError("--resume needs the run to go on with", remedy="Give its folder with --run.")
        run = Run.open(options.run)
        file = DesignFile(run.design(), run.base_folder)
        values: dict[str, Any] = run.settings().model_dump()
    else:
        file = read_design(options.file)
        values = dict(file.design.training)
    weighted, assignments = balanced_of(options.set)
    design, chosen, reading = apply_values(file.design, assignments)
    values |= chosen
    for name in ("epochs", "steps", "seed", "device"):
        value = getattr(options, name)
        if value is not None:
            values[name] = value
    if options.epochs is not None:
        values["steps"] = 0
    settings = settings_from(values)
    warm = _warm_start(options)
    dataset = open_data(
        DesignFile(design, file.folder), options.data, reading, None if warm is None else warm.inherited()
    )
    if options.data is None and (changed := changes(file.design.data, dataset.recipe)):
        console.print(changed, markup=False)
    design, told = bound_to(design, dataset.recipe)
    for line in told:
        console.print(line, markup=False)
    if weighted:
        design, said = balance(design, dataset, weighted)
        for line in said:
            console.print(line, markup=False)
    folder = options.run or new_run_folder(design, Path.cwd() if file.example else file.folder)

    from ..training.machine import tune_allocator
    from ..training.trainer import Trainer

    tune_allocator()
    trainer = Trainer(
        design,
        dataset,
        settings,
        folder,
        load_plugins().catalog,
        resume=options.resume,
        base_folder=options.data.resolve().parent if options.data else file.folder,
        command=sys.argv,
        warm=warm,
    )
    console.print(f"{design.name}: {dataset.summary()}", markup=False)
    console.print(f"Parts: {dataset.divided}", markup=False)
    padding = trainer.batches.padding
    if padding:
        shares = " and ".join(f"{share:.1%} along {axis}" for axis, share in padding.items())
        console.print(f"Padding: {shares}, with examples of like lengths together", markup=False)
    for problem in dataset.problems:
        console.print(f"{problem.severity}: {problem}", style="dim" if problem.severity == "hint" else "", markup=False)
    for line in trainer.transfer.lines() if trainer.transfer is not None else ():
        console.print(line, markup=False)
    result = follow(trainer, console)
    summary = _summary(result, dataset, trainer.network.program, folder)
    if trainer.transfer is not None:
        summary["from"] = trainer.transfer.to_json()
    _say(console, summary)
    if options.json:
        print_json(summary)
    return DONE if isinstance(result, ev.Finished) else FAILED


def _warm_start(options: argparse.Namespace) -> WarmStart | None:
    """What the options ask for. Raises StudioError where they do not go together."""
    named = {"checkpoint": "which", "words": "words", "scaling": "scaling", "widened": "widened"}
    chosen = {field: getattr(options, name) for name, field in named.items() if getattr(options, name)}
    if options.start_from is None:
        if chosen:
            names = ", ".join(f"--{name}" for name, field in named.items() if field in chosen)
            raise StudioError(f"{names} is for a run that weights are taken from", remedy="Give it with --from RUN.")
        return None
    if options.resume:
        raise StudioError(
            "A run that is resumed has weights of its own", where="--from", remedy="Leave out --resume or --from."
        )
    return WarmStart(str(options.start_from), **chosen)


def follow(trainer: Trainer, console: Console) -> ev.Finished | ev.Failed:
    """Run a trainer to its end, showing what it does. Ctrl+C stops after the step and saves, a second one at once."""
    result: ev.Finished | ev.Failed | None = None
    with Progress(console) as progress, interrupt_stops(trainer.requests):
        trainer.tell = progress.show
        for event in trainer.events():
            progress.show(event)
            if isinstance(event, ev.Finished | ev.Failed):
                result = event
    if result is None:
        raise StudioError("The training ended without a result", remedy="Please report this.")
    return result


def new_run_folder(design: Design, base: Path) -> Path:
    """`runs/<design>-<n>` in `base`, with the first free number."""
    number = 1
    while (base / "runs" / f"{design.name}-{number}").exists():
        number += 1
    return base / "runs" / f"{design.name}-{number}"


def _summary(result: ev.Finished | ev.Failed, dataset: Dataset, program: Program, folder: Path) -> dict[str, Any]:
    from ..training.comparing import accuracies, baselines

    run = Run.open(folder)
    best = run.best()
    body: dict[str, Any] = {
        "state": run.state,
        "steps": result.step,
        "seconds": round(result.seconds, 3),
        "run": str(folder.resolve()),
        "loss": None,
        "validation_loss": best.loss if best else None,
        "perplexity": best.perplexity if best else None,
        "accuracy": best.accuracy if best else None,
        "tokens_per_second": None,
        "baselines": baselines(dataset, program),
        "baseline_accuracy": accuracies(dataset, program),
    }
    if isinstance(result, ev.Finished):
        body |= {"reason": result.reason, "loss": result.loss, "tokens_per_second": result.tokens_per_second}
    else:
        body |= {"error": result.what, "where": result.where}
    return body


def _say(console: Console, summary: dict[str, Any]) -> None:
    if "error" in summary:
        where = f" ({summary['where']})" if summary["where"] else ""
        console.print(f"{summary['error']}{where}", style="red", markup=False)
    elif summary["validation_loss"] is not None:
        words = [f"validation loss {summary['validation_loss']:.4f}"]
        if summary["perplexity"] is not None:
            words.append(f"perplexity {summary['perplexity']:.2f}")
        if summary["accuracy"] is not None:
            words.append(f"accuracy {summary['accuracy']:.1%}")
        console.print("Best " + ", ".join(words))
        for name, value in summary["baselines"].items():
            console.print(f"  {name:<12} {value:.4f}", style="dim", markup=False)
        for name, value in summary["baseline_accuracy"].items():
            console.print(f"  {name:<12} {value:.1%} accurate", style="dim", markup=False)
    console.print(f"Run: {summary['run']}", markup=False)
    if summary["state"] not in ("finished", "running"):
        step = Run.open(summary["run"]).step_to_resume()
        if step is not None:
            console.print(f"Add --resume --run {summary['run']} to go on from step {step:,}.", markup=False)
