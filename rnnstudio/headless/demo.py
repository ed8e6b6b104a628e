"""`rnnstudio demo` without a display: the language model trained and exported in the terminal, start to end."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_data_path
from rich.console import Console

from ..cli import build_parser
from ..gallery import copy_example
from .train import new_run_folder, train

EXAMPLE = "char-lm"


def run_demo() -> int:
    """Copy the example into the user's data folder, train it, let it write, export it. Returns the exit code."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print("No display found: training and exporting the example here. (With a display, the studio opens.)")
    folder = user_data_path("rnnstudio") / "demo"
    path = folder / f"{EXAMPLE}.rnn"
    if not path.exists():
        path = copy_example(EXAMPLE, folder)
    parser = build_parser()
    from ..design.storage import load

    run = new_run_folder(load(path), folder)
    code = train(parser.parse_args(["train", str(path), "--run", str(run)]))
    if code:
        return code
    from .trained import export_run, generate_text

    console.print("\nThe trained model writes:")
    generate_text(parser.parse_args(["generate", str(run), "--prompt", "ROMEO.\n", "--length", "400"]))
    out = Path(run) / "export" / EXAMPLE
    out.parent.mkdir(exist_ok=True)
    export_run(parser.parse_args(["export", str(run), "--out", str(out)]))
    console.print(f'Run it with torch alone: python {out}.py "ROMEO."')
    return 0
