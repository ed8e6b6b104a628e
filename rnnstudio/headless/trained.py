"""Commands on a run's trained model: measure it, let it write, export it."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cli import DONE, print_json
from ..design.errors import StudioError
from ..loading import Exporter, load_plugins
from ..loading.plugin import BUILT_IN_FORMATS
from ..runtime.generate import Choice
from ..training.answering import Answerer
from ..training.evaluate import Trained, evaluate, load_trained, open_data
from ..training.runs import Run

if TYPE_CHECKING:
    from ..export import Certificate


def evaluate_run(options: argparse.Namespace) -> int:
    """`rnnstudio evaluate`: the loss over a whole part of the data, and what simple models reach on it."""
    from ..compiler import compile_design
    from ..training.comparing import accuracies, baselines

    run = Run.open(options.run)
    if options.windows is not None:
        return _backtest(options, run)
    if options.horizon:
        raise StudioError("A horizon is for --windows", remedy="Say at how many cut-offs: --windows 20.")
    result: dict[str, Any] = dict(evaluate(run, options.split, which=options.checkpoint))
    design = run.design()
    assert design.data is not None
    program = compile_design(design, load_plugins().catalog)
    dataset = open_data(run)
    result["baselines"] = baselines(dataset, program, options.split, options.season)
    result["baseline_accuracy"] = accuracies(dataset, program, options.split)
    result["run"] = str(run.folder.resolve())
    result["data"] = [str(problem) for problem in dataset.problems if problem.severity == "warning"]
    for told in result["data"]:
        print(f"warning: {told}", file=sys.stderr)
    for name, value in result.items():
        if isinstance(value, float):
            print(f"{name.replace('_', ' '):<16} {value:.4f}")
        elif isinstance(value, str | int):
            print(f"{name.replace('_', ' '):<16} {value}")
    for name, value in result["baselines"].items():
        print(f"  {name:<14} {value:.4f}")
    for name, value in result["baseline_accuracy"].items():
        print(f"  {name:<14} {value:.1%} accurate")
    if options.json:
        print_json(result)
    return DONE


def _backtest(options: argparse.Namespace, run: Run) -> int:
    """`rnnstudio evaluate --windows`: errors of the model and of simple methods, a table for each column."""
    from ..training.backtest import backtest

    result = backtest(run, options.windows, options.horizon, options.season, options.split, options.checkpoint)
    cuts = result["cut_offs"]
    between = f"{cuts[0]} to {cuts[-1]}" if len(cuts) > 1 else cuts[0]
    print(f"{result['windows']} cut-offs ({between}), {result['horizon']} steps ahead, {result['how']}")
    for place, column in enumerate(result["columns"]):
        mase = f"{'MASE':>12}" if options.season else ""
        print(f"{column:<16} {'MAE':>12}{'RMSE':>12}{mase}")
        for name, score in result["scores"].items():
            numbers = [score[key][place] for key in ("mae", "rmse", "mase") if score[key] is not None]
            print(f"  {name:<14} " + "".join(f"{number:12.5g}" for number in numbers))
    result["run"] = str(run.folder.resolve())
    if options.json:
        print_json(result)
    return DONE


def generate_text(options: argparse.Namespace) -> int:
    """`rnnstudio generate`: what a language model writes after a prompt, or an encoder–decoder for what it reads."""
    from ..training.showing import Writer

    run = Run.open(options.run)
    trained = load_trained(run, options.checkpoint, mode="forced")
    temperature = 0.8 if options.temperature is None else options.temperature
    writer = Writer(trained.network, trained.recipe)
    answerer = Answerer(trained.program, trained.recipe) if writer.why_not else None
    if answerer is not None and not answerer.why_not:
        return _answer(options, run, trained, answerer)
    if options.beam:
        raise StudioError("A language model writes without a beam", where="--beam", remedy="Leave --beam out.")
    text = writer.write(
        options.prompt,
        options.length,
        temperature,
        options.seed,
        top_k=options.top_k,
        top_p=options.top_p,
    )
    print(f"{options.prompt}{text}")
    if options.json:
        print_json({"prompt": options.prompt, "text": text, "seed": options.seed})
    return DONE


def _answer(options: argparse.Namespace, run: Run, trained: Trained, answerer: Answerer) -> int:
    """What an encoder–decoder produces for the prompt, or for examples of the validation part beside the truth."""
    from ..training.validation import evaluation_batches

    if options.beam and options.temperature:
        raise StudioError("A beam takes no chances", where="--temperature", remedy="Leave --beam or --temperature out.")
    how: dict[str, Any] = {
        "choice": Choice(options.temperature or 0.0, options.top_k, options.top_p),
        "beam": options.beam,
        "seed": options.seed,
    }
    if answerer.numbers and (options.beam or options.temperature):
        raise StudioError("This model writes numbers: there is nothing to choose", where="--beam, --temperature")
    weights = trained.network.weights
    if options.prompt:
        found = [answerer.answer(weights, options.prompt, options.length, **how)]
    else:
        batches = evaluation_batches(open_data(run), "validation", run.settings(), trained.program)
        found = list(answerer.answers(weights, batches.batch(0, 0), options.examples, **how))
    for answer in found:
        print(f"read     {answer.read}\nwritten  {answer.text}")
        print(f"true     {answer.truth}\n" if answer.truth else "")
    if options.json:
        print_json({"answers": [dataclasses.asdict(answer) for answer in found], "seed": options.seed})
    return DONE


def forecast_series(options: argparse.Namespace) -> int:
    """`rnnstudio forecast`: what comes after the end of the data, in the file's units, as a table."""
    from ..training.evaluate import forecast_on

    run = Run.open(options.run)
    field, rows = forecast_on(run, options.steps, options.checkpoint)
    columns = list(field.columns)
    print("\t".join(["step", *columns]))
    for number, row in enumerate(rows, 1):
        print("\t".join([f"+{number}", *(field.shown(place, value) for place, value in enumerate(row))]))
    if options.json:
        print_json({"columns": columns, "forecast": rows, "run": str(run.folder.resolve())})
    return DONE


def export_run(options: argparse.Namespace) -> int:
    """`rnnstudio export`: files that run without the studio, proved equal to the trained model."""
    from ..export import export_python

    exporters = load_plugins().exporters
    if options.format not in (*BUILT_IN_FORMATS, *exporters):
        known = ", ".join((*BUILT_IN_FORMATS, *exporters))
        raise StudioError(f"There is no format “{options.format[:80]}”", where="--format", remedy=f"Formats: {known}.")
    trained = load_trained(Run.open(options.run), options.checkpoint, mode="free")
    if options.format == "python":
        certificate = export_python(trained.network, trained.recipe, options.out)
    else:
        certificate = _export_with(exporters[options.format], trained, options.out)
    print(f"Saved {' and '.join(certificate.files)}; compared with the trained model, run by themselves:")
    for function in certificate.functions:
        those = [item for item in certificate.comparisons if item.function == function]
        largest = max(item.difference for item in those)
        print(f"  {function:<16} {len(those):>3} comparisons, largest difference {largest:.1e}")
    if options.json:
        print_json(certificate.to_json() | {"folder": str(certificate_folder(options.out))})
    return DONE


def _export_with(exporter: Exporter, trained: Trained, out: Path) -> Certificate:
    """What a plugin's exporter writes. Whatever goes wrong in it is a StudioError with its name."""
    from ..export import Certificate

    try:
        certificate = exporter.export(trained.network, trained.recipe, out)
    except StudioError:
        raise
    except Exception as error:
        what = f"The exporter “{exporter.name}” of a plugin failed: {type(error).__name__}: {error}"
        raise StudioError(what, remedy="Report it to the plugin's author.") from error
    if not isinstance(certificate, Certificate):
        what = f"The exporter “{exporter.name}” of a plugin gives no certificate: nothing proves its files right"
        raise StudioError(what, remedy="Report it to the plugin's author.")
    return certificate


def certificate_folder(out: Any) -> Any:
    """The folder the files of an export lie in."""
    return (out if out.is_dir() else out.parent).resolve()
