"""The command line: `rnnstudio` opens the window; every other command works without one. Heavy imports wait."""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from . import __version__
from .design.errors import StudioError, lacks_memory

DONE, FAILED, BAD_INPUT = 0, 1, 2

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 failed, 2 bad input (one clear line on stderr)."""
    try:
        options = build_parser().parse_args(arguments)
        command: Command = options.command
        if command not in _WITHOUT_PLUGINS:
            _warn_of_plugins()
        return command(options)
    except StudioError as error:
        print(f"rnnstudio: {error}", file=sys.stderr)
        return BAD_INPUT
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        print("rnnstudio: There is not enough memory. Make units, batch size or chunk smaller.", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("rnnstudio: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return FAILED


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as all of the studio does."""

    def error(self, message: str) -> NoReturn:
        what = message[:1].upper() + message[1:300]
        raise StudioError(what, remedy=f"`{self.prog} --help` lists what there is.")


def _whole(least: int, most: int) -> Callable[[str], int]:
    """A whole number of the command line between two others."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"“{text[:80]}” is no whole number") from None
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{text[:80]} is not between {least} and {most:,}")
        return number

    return read


def _real(least: float, most: float) -> Callable[[str], float]:
    """A number of the command line between two others, which NaN is not."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"“{text[:80]}” is no number") from None
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{text[:80]} is not between {least:g} and {most:g}")
        return number

    return read


def _name(text: str) -> str:
    """The name of a file, a folder or an example: one that the system could have."""
    if not text:
        raise argparse.ArgumentTypeError("a name is empty")
    try:
        Path(text).stat()
    except ValueError:
        raise argparse.ArgumentTypeError("a name has a null character") from None
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            raise argparse.ArgumentTypeError(f"“{text[:80]}” cannot be looked at: {error.strerror}") from None
    return text


def _file(text: str) -> Path:
    return Path(_name(text))


SEED = _whole(0, 2**32 - 1)
MANY = 10**12


def build_parser() -> argparse.ArgumentParser:
    """All commands with their options; what `rnnstudio --help` prints."""
    parser = _Parser(
        prog="rnnstudio", description="Draw recurrent networks, train them, look inside them, take them away."
    )
    parser.add_argument("--version", action="version", version=f"rnnstudio {__version__}")
    parser.set_defaults(command=_open, file=(), theme=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def add(name: str, command: Command, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        return sub

    sub = add("open", _open, "open the studio (on designs, each in a window of its own)")
    sub.add_argument("file", nargs="*", type=_file, help="a .rnn file, or the name of an example")

    add("demo", _demo, "open the studio on the language model; without a display train and export it here")

    sub = add("examples", _examples, "list the examples that ship with the studio")
    _json(sub)

    sub = add(
        "new", _new, "draw a network for a data file, or a pattern of the field; or copy an example with its data"
    )
    sub.add_argument(
        "name", nargs="?", type=_name, help="with --data or --pattern: the design to be written; else an example"
    )
    sub.add_argument("folder", nargs="?", type=_file, help="where an example is copied to")
    what = sub.add_mutually_exclusive_group()
    what.add_argument("--data", type=_file, help="a file (or folder) to learn from: a fitting network is drawn for it")
    what.add_argument("--pattern", metavar="PATTERN", help="a pattern of the field, by its name or number")
    what.add_argument("--patterns", action="store_true", help="list the patterns")
    sub.add_argument("--reader", default="", help="with --data: read it so, whatever it looks like")
    sub.add_argument(
        "--set", action="append", default=[], metavar="data.NAME=VALUE", help="with --data: an option of the reader"
    )
    _json(sub)

    sub = add("plugins", _plugins, "list the plugins, what each adds, and which could not be loaded")
    sub.add_argument("--enable", metavar="NAME", help="import a plugin again that was passed over as it never returned")
    _json(sub)

    sub = add("check", _check, "say what is wrong with a design")
    sub.add_argument("file", type=_name, help="a .rnn file, or the name of an example")
    _json(sub)

    sub = add("show", _show, "print what a design compiles to")
    sub.add_argument("file", type=_name, help="a .rnn file, or the name of an example")
    which = sub.add_mutually_exclusive_group()
    which.add_argument("--program", action="store_const", dest="what", const="program", help="regions and operations")
    which.add_argument("--source", action="store_const", dest="what", const="source", help="plain PyTorch")
    which.add_argument("--lowering", action="store_const", dest="what", const="lowering", help="what each loop runs on")
    which.add_argument(
        "--costs",
        action="store_const",
        dest="what",
        const="costs",
        help="parameters, multiply-adds and the memory of a training step",
    )
    _json(sub)
    sub.set_defaults(what="program")

    sub = add("data", _data, "say what a data file is taken for, with its first examples and every warning")
    sub.add_argument("file", type=Path)
    sub.add_argument("--reader", default="", help="read it so, whatever it looks like")
    sub.add_argument("--examples", type=int, default=3, help="how many are shown")
    sub.add_argument("--whole", action="store_true", help="read a large file to its end; else its beginning alone")
    sub.add_argument("--set", action="append", default=[], metavar="data.NAME=VALUE", help="an option of the reader")
    _json(sub)

    sub = add("train", _train, "train a design")
    sub.add_argument("file", type=_name, help="a .rnn file, or the name of an example")
    sub.add_argument("--data", type=_file, help="another data file in place of the design's")
    sub.add_argument("--run", type=_file, help="folder of the run (a new one beside the design by default)")
    sub.add_argument("--resume", action="store_true", help="go on with the run in --run")
    _warm_start(sub)
    length = sub.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=_whole(1, MANY), help="passes over the training data")
    length.add_argument("--steps", type=_whole(0, MANY), help="optimiser steps")
    sub.add_argument("--seed", type=SEED)
    sub.add_argument("--device", choices=("auto", "cpu", "cuda"))
    sub.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a variable of the design, a training setting, or NODE.PARAMETER",
    )
    _json(sub)

    sub = add("evaluate", _evaluate, "measure a trained model, with baselines beside it")
    sub.add_argument("run", type=_file)
    sub.add_argument("--split", choices=("train", "validation", "test"), default="test")
    sub.add_argument(
        "--windows", type=_whole(1, 1_000_000), help="ask a forecaster at so many cut-offs, in the file's units"
    )
    sub.add_argument(
        "--horizon",
        type=_whole(1, 1_000_000),
        default=0,
        help="with --windows: steps that are forecast (rolled out: 10)",
    )
    sub.add_argument(
        "--season",
        type=_whole(1, 1_000_000),
        default=0,
        help="steps of a season, for the seasonal naive forecast and MASE",
    )
    sub.add_argument("--checkpoint", choices=("best", "last"), default="best")
    _json(sub)

    sub = add("generate", _generate, "let a trained language model or encoder-decoder write")
    sub.add_argument("run", type=_file)
    sub.add_argument("--prompt", default="", help="what the text begins with, or what an encoder reads")
    sub.add_argument(
        "--examples",
        type=_whole(1, 1_000_000),
        default=3,
        help="without a prompt an encoder reads so many of the data's",
    )
    sub.add_argument(
        "--beam", type=_whole(0, 10_000), default=0, help="a decoder keeps so many hypotheses; 0: no beam search"
    )
    sub.add_argument("--length", type=_whole(1, 10_000_000), default=300, help="tokens to write")
    sub.add_argument("--temperature", type=_real(0, 1e6), help="0: always the most likely token (0.8; of a decoder 0)")
    sub.add_argument("--top-k", type=_whole(0, 10**9), default=0, help="only among the k most likely tokens; 0: all")
    sub.add_argument(
        "--top-p", type=_real(0, 1), default=1.0, help="only among the likeliest that reach this probability"
    )
    sub.add_argument("--seed", type=SEED, default=0)
    sub.add_argument("--checkpoint", choices=("best", "last"), default="best")
    _json(sub)

    sub = add("forecast", _forecast, "let a trained forecaster go on with its series, on its own predictions")
    sub.add_argument("run", type=_file)
    sub.add_argument("--steps", type=_whole(1, 1_000_000), default=10, help="how many steps beyond the end of the data")
    sub.add_argument("--checkpoint", choices=("best", "last"), default="best")
    _json(sub)

    sub = add("look", _look, "look inside a trained run: the values and gradients of one example")
    sub.add_argument("run", type=_file)
    sub.add_argument("--example", type=_whole(0, 10**12), help="its number in the order of the file (0)")
    sub.add_argument("--split", choices=("train", "validation", "test"), default="validation")
    sub.add_argument("--text", default="", help="instead of an example: a text that the network reads")
    sub.add_argument("--values", default="", help="paths of nodes, such as lstm.f,lstm.state; none: all of them")
    sub.add_argument("--gradients", action="store_true", help="what the loss asks of each value, in all and directly")
    sub.add_argument("--of", default="", help="gradients of this value instead of the loss: readout[3]@5")
    sub.add_argument("--hold", action="append", default=[], help="a value that is held: lstm.f[3]@5=0; repeatable")
    sub.add_argument(
        "--cut", action="append", default=[], help="a wire that carries nothing: embedding:lstm@5; repeatable"
    )
    sub.add_argument("--double", action="store_true", help="in float64")
    sub.add_argument("--out", type=_file, help="write the arrays to this .npz")
    sub.add_argument("--checkpoint", choices=("best", "last"), default="best")
    _json(sub)

    sub = add("export", _export, "write a trained model to files that run without the studio")
    sub.add_argument("run", type=_file)
    sub.add_argument("--format", default="python", help="python, or one that a plugin brings")
    sub.add_argument("--out", type=_file, required=True, help="file name or folder")
    sub.add_argument("--checkpoint", choices=("best", "last"), default="best")
    _json(sub)
    return parser


def _warm_start(parser: argparse.ArgumentParser) -> None:
    """Options of `train` that take up another run's weights."""
    group = parser.add_argument_group("fine-tuning")
    group.add_argument(
        "--from", dest="start_from", type=_file, metavar="RUN", help="begin with this run's weights, where they fit"
    )
    group.add_argument("--checkpoint", choices=("best", "last"), help="with --from: which of the run's (best)")
    group.add_argument(
        "--words",
        choices=("keep", "drop", "refuse"),
        help="with --from: words of the run that the data lacks are kept (so by default) or dropped, and new ones "
        "added; or data with new words is refused",
    )
    group.add_argument(
        "--scaling", choices=("run", "data"), help="with --from: columns are scaled as the run's were, or by this data"
    )
    group.add_argument(
        "--widened", action="store_true", help="with --from: a weight of another size keeps the part that both have"
    )


def _warn_of_plugins() -> None:
    """Load the plugins; one that fails is told on stderr, and the command goes on without it."""
    from .loading import load_plugins

    for problem in load_plugins().problems:
        print(f"rnnstudio: warning: {problem.text()}", file=sys.stderr)


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")


def print_json(values: dict[str, Any]) -> None:
    """The machine-readable last line. NaN and infinity become null."""
    print(json.dumps(_finite(values), ensure_ascii=False, allow_nan=False), flush=True)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value


def _open(options: argparse.Namespace) -> int:
    from .system import display, missing, needed, remedy

    where = display()
    absent = missing(needed(where))
    if absent:
        raise StudioError(
            "The window needs libraries of the system that are missing: " + ", ".join(one.soname for one in absent),
            remedy=f"Install them: {remedy(absent)}",
        )
    if not where and os.environ.get("QT_QPA_PLATFORM") not in ("offscreen", "minimal", "vnc"):
        raise StudioError(
            "There is no display to open a window on",
            remedy="Use `rnnstudio train`, or start a desktop session (or Xvfb) first.",
        )
    from .studio.app import main as open_window

    return open_window([str(file) for file in options.file])


def _demo(options: argparse.Namespace) -> int:
    from .system import display

    if display():
        options.file = [Path("char-lm")]
        return _open(options)
    from .headless.demo import run_demo

    return run_demo()


def _examples(options: argparse.Namespace) -> int:
    from .gallery import examples

    found = examples()
    width = max(len(item.name) for item in found)
    for item in found:
        print(f"{item.name:<{width}}  {item.doc}")
    if options.json:
        print_json({"examples": [{"name": e.name, "doc": e.doc, "path": str(e.path)} for e in found]})
    else:
        print("\nOpen one with `rnnstudio open NAME`, or copy it: `rnnstudio new NAME FOLDER`.")
    return DONE


def _new(options: argparse.Namespace) -> int:
    if options.patterns:
        from .headless.new import list_patterns

        return list_patterns(options)
    if options.name is None:
        raise StudioError(
            "It is not said what is to be made",
            remedy="Write `rnnstudio new EXAMPLE FOLDER`, `rnnstudio new --data FILE NAME`, or "
            "`rnnstudio new --pattern PATTERN NAME`; `rnnstudio new --patterns` lists the patterns.",
        )
    if options.pattern is not None:
        from .headless.new import draw_pattern_design

        return draw_pattern_design(options)
    if options.data is not None:
        from .headless.new import draw_design

        _warn_of_plugins()
        return draw_design(options)
    if options.folder is None:
        raise StudioError(
            f"It is not said where the example “{options.name}” is to be copied to",
            remedy="Write `rnnstudio new EXAMPLE FOLDER`, or `rnnstudio new --data FILE NAME` to draw a network.",
        )
    from .gallery import copy_example

    path = copy_example(options.name, options.folder)
    if options.json:
        print_json({"design": str(path)})
        return DONE
    print(f"{path}\nOpen it with `rnnstudio open {path}`, or train it with `rnnstudio train {path}`.")
    return DONE


def _plugins(options: argparse.Namespace) -> int:
    from .loading import enable, load_plugins, plugin_folder

    if options.enable and not enable(options.enable):
        print(f"No plugin “{options.enable}” was passed over.")
        return FAILED
    loaded = load_plugins()
    for found in loaded.plugins:
        adds = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in found.adds().items()) or "nothing"
        print(f"{found.plugin.name} {found.plugin.version}".rstrip() + f" ({found.origin})\n  {adds}")
    for problem in loaded.problems:
        print(problem.text())
    if not loaded.plugins and not loaded.problems:
        print("There are no plugins.")
    print(f"Your own plugins go into {plugin_folder()}")
    if options.json:
        plugins = [
            {"name": f.plugin.name, "version": f.plugin.version, "origin": f.origin, "adds": f.adds()}
            for f in loaded.plugins
        ]
        problems = [{"name": p.name, "origin": p.origin, "reason": p.reason} for p in loaded.problems]
        print_json({"plugins": plugins, "problems": problems, "folder": str(plugin_folder())})
    return FAILED if loaded.problems else DONE


FIXES_TOLD = 20
"""Of so many problems, the first ones, a fix is sought."""


def _check(options: argparse.Namespace) -> int:
    from .compiler import check
    from .headless.design_file import read_design
    from .loading import load_plugins

    checked = check(read_design(options.file).design, load_plugins().catalog)
    # A fix is found by trying, and each trial checks the whole drawing.
    fixes = [item.fix_title for item in checked.diagnostics[:FIXES_TOLD]]
    fixes += [""] * (len(checked.diagnostics) - len(fixes))
    for item, fix in zip(checked.diagnostics, fixes, strict=True):
        print(item.text() + (f" [fix: {fix}]" if fix else ""))
    if len(checked.diagnostics) > FIXES_TOLD:
        print(f"Fixes were sought for the first {FIXES_TOLD} alone.")
    if not checked.diagnostics:
        print("No problems.")
    if options.json:
        found = [
            {
                "code": d.code,
                "severity": d.severity,
                "message": d.message,
                "graph": d.graph,
                "nodes": list(d.nodes),
                "wires": [str(w) for w in d.wires],
                "port": d.port,
                "param": d.param,
                "fix": fix,
            }
            for d, fix in zip(checked.diagnostics, fixes, strict=True)
        ]
        print_json({"ok": checked.ok, "diagnostics": found})
    return DONE if checked.ok else FAILED


def _show(options: argparse.Namespace) -> int:
    if options.json and options.what != "costs":
        raise StudioError("Only costs are shown as JSON", remedy="Write `rnnstudio show FILE --costs --json`.")
    if options.what == "costs":
        from .headless.costs import show_costs

        return show_costs(options.file, options.json)
    from .compiler import compile_design, source
    from .headless.design_file import read_design
    from .loading import load_plugins

    program = compile_design(read_design(options.file).design, load_plugins().catalog)
    if options.what == "source":
        print(source(program), end="")
    elif options.what == "lowering":
        from .runtime import Network

        network = Network(program)
        network.loops.try_kernels(network.weights)
        print("\n".join(network.lowerings()) or "The design has no loop.")
    else:
        print(program.text(), end="")
    return DONE


def _data(options: argparse.Namespace) -> int:
    from .headless.data_file import show_data

    return show_data(options)


def _train(options: argparse.Namespace) -> int:
    from .headless.train import train

    return train(options)


def _evaluate(options: argparse.Namespace) -> int:
    from .headless.trained import evaluate_run

    return evaluate_run(options)


def _generate(options: argparse.Namespace) -> int:
    from .headless.trained import generate_text

    return generate_text(options)


def _forecast(options: argparse.Namespace) -> int:
    from .headless.trained import forecast_series

    return forecast_series(options)


def _look(options: argparse.Namespace) -> int:
    from .headless.look import look_into

    return look_into(options)


def _export(options: argparse.Namespace) -> int:
    from .headless.trained import export_run

    return export_run(options)


_WITHOUT_PLUGINS: tuple[Command, ...] = (_open, _demo, _examples, _new, _plugins)
"""Commands that need none, or (the window, the list) tell themselves which of them failed."""
