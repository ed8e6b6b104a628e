"""`python -m scripts.screens NAME …`: makes the pictures of each module that is named here, light and dark."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path


def main() -> int:
    """Returns 2 where a name means no module beside this one."""
    known = sorted({path.stem for path in Path(__file__).parent.glob("[a-z]*.py")} - {"common"})
    names = sys.argv[1:]
    if not names or any(name not in known for name in names):
        print(f"Name what to make: {', '.join(known)}", file=sys.stderr)
        return 2
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    for name in names:
        importlib.import_module(f"scripts.screens.{name}").make()
    return 0


if __name__ == "__main__":
    sys.exit(main())
