"""The readers that come with the studio, one file a format. What a reader is: rnnstudio/data/readers.py."""

from __future__ import annotations

from rnnstudio.data.formats.arrays import ArrayReader
from rnnstudio.data.formats.csv_file import CsvReader
from rnnstudio.data.formats.labelled import LabelledReader
from rnnstudio.data.formats.music import MusicReader
from rnnstudio.data.formats.pairs import PairReader
from rnnstudio.data.formats.parquet import ParquetReader
from rnnstudio.data.formats.signals import SignalReader
from rnnstudio.data.formats.tagged import TaggedReader
from rnnstudio.data.formats.text import TextReader
from rnnstudio.data.formats.trees import TreeReader
from rnnstudio.data.formats.ts_file import TsReader
from rnnstudio.data.formats.vectors import VectorReader
from rnnstudio.data.readers import Reader

READERS: tuple[Reader, ...] = (
    TextReader(),
    CsvReader(),
    ParquetReader(),
    LabelledReader(),
    PairReader(),
    TaggedReader(),
    TreeReader(),
    VectorReader(),
    ArrayReader(),
    SignalReader(),
    TsReader(),
    MusicReader(),
)
