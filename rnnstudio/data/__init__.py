"""Readers, vocabularies, splits and batches. Only `batches` imports torch.

recipe = guess("shakespeare.txt")
dataset = open(recipe, base=Path("."))      # dataset.recipe is complete now
batches = Batches(dataset, "train", batch_size=32, chunk=100, carry=True, seed=1)   # from rnnstudio.data.batches
"""

from __future__ import annotations

from rnnstudio.data import readers
from rnnstudio.data.dataset import Dataset, Split, Track
from rnnstudio.data.files import outside, resolve
from rnnstudio.data.formats import READERS
from rnnstudio.data.guess import guess, guess_with, guesses, like, of_options
from rnnstudio.data.opening import open_dataset
from rnnstudio.data.preview import Preview, bytes_of_a_look, inspect, preview_of
from rnnstudio.data.problems import Problem
from rnnstudio.data.readers import Reader, choose, plugged
from rnnstudio.data.split import PARTS, Part
from rnnstudio.data.tasks import TASKS
from rnnstudio.data.vocabulary import UNKNOWN, Vocabulary, vocabulary_of

readers.install_own((*READERS, *TASKS))

open = open_dataset

__all__ = [
    "PARTS",
    "READERS",
    "TASKS",
    "UNKNOWN",
    "Dataset",
    "Part",
    "Preview",
    "Problem",
    "Reader",
    "Split",
    "Track",
    "Vocabulary",
    "bytes_of_a_look",
    "choose",
    "guess",
    "guess_with",
    "guesses",
    "inspect",
    "like",
    "of_options",
    "open",
    "open_dataset",
    "outside",
    "plugged",
    "preview_of",
    "resolve",
    "vocabulary_of",
]
