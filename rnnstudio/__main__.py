"""Lets `python -m rnnstudio` do what the `rnnstudio` command does."""

import sys

from rnnstudio.cli import main

if __name__ == "__main__":
    sys.exit(main())
