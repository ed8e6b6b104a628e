"""How to write a reader: what turns a file of some format into examples that a network learns from.

Ours and plugins' readers are one kind of thing. A reader has a name, the suffixes of its files, a record of options, a
guess, and `read`. All else is done for it: the form in the window, `--set data.NAME=VALUE`, help, splits,
vocabularies, scaling, batches, preview, warnings. A whole one, for files whose lines are "word TAB class":

    @dataclass(frozen=True)
    class WordOptions:
        encoding: str = encoding_option()
        lowercase: bool = option(False, "fold capitals first")

    class WordReader(Reader):
        name, title, suffixes = "words-with-class", "words with a class", (".words",)
        Options = WordOptions

        def guess(self, sample: Sample) -> Guess | None:
            tabs = [line.count("\\t") == 1 for line in sample.lines]
            return Guess(0.6, WordOptions(sample.encoding)) if tabs and all(tabs) else None

        def read(self, source: Source, options: WordOptions, problems: Problems) -> Examples:
            words, classes, lines = [], [], []
            for number, line in enumerate(source.lines(options.encoding), 1):
                word, tab, label = line.partition("\\t")
                if not tab:
                    problems.error("there is no tab", line=number, remedy="Write WORD, a tab, CLASS.")
                    continue
                words.append(list(word.lower() if options.lowercase else word))
                classes.append(label)
                lines.append(number)
            return Examples((tokens("word", words), labels("class", classes)), lines=lines)

    plugin = Plugin("words", readers=[WordReader()])

`Examples` holds fields: `tokens` (lists of texts along an axis), `labels` (a class for each example), `tags` (a class
for each step), `numbers`, `tree`, `later`; see examples.py. Give every further sequence an axis of its own
("source", "target"). Bad lines go to `problems`, which say line and column and go on; what makes the whole file
unreadable is raised as one StudioError. What is left out is told with `problems.ignore`. A reader has no state.
tests/data/reader_laws.py holds what every reader must satisfy; it runs over all that are registered.

This module also keeps the list of readers. Plugins' are added by rnnstudio.loading alone, once in a process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from rnnstudio.data import options as data_options
from rnnstudio.data.dividing import TrainingPart, chosen_of, dividing_of
from rnnstudio.data.examples import Examples
from rnnstudio.data.files import is_folder
from rnnstudio.data.options import NoOptions
from rnnstudio.data.packed import Entry
from rnnstudio.data.problems import Problems
from rnnstudio.data.source import Sample, Source
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DEFAULT_SPLIT, JSON, DataRecipe, FieldSpec

if TYPE_CHECKING:
    from rnnstudio.data.vocabulary import Vocabulary


@dataclass(frozen=True)
class Guess:
    """What a reader proposes for a file. confidence: above 0, at most 1: the surest reader gets the file.

    0.9 and more: it cannot be anything else; 0.5: it looks like it; 0.1: it could be read so. options: a record of the
    reader's, all settled that can be. why: what it was seen by, for people.
    """

    confidence: float
    options: Any
    split: tuple[float, float, float] = DEFAULT_SPLIT
    why: str = ""


class Reader:
    """Makes examples of a file in some format; see the module. A reader has no state: one instance serves every file.

    name: what recipes call it, for good; title: what people choose in the data panel; suffixes: of its files (".abc"),
    lower case. Options: a record of the reader's options. parts: how a file is divided where nobody says.
    portable: names of the options that a design keeps when it is given another file; None = all.
    made: it reads no file but makes its examples; its name, which begins with "task:", stands where a path would.
    together: it reads all files of a folder or an archive as one data set.
    beginnings: the first lines of its files are a file by themselves: of a large one a preview reads no more.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    what: ClassVar[str] = ""
    """What it reads, in a sentence: "a table"; "" = the title."""
    suffixes: ClassVar[tuple[str, ...]] = ()
    Options: ClassVar[type[Any]] = NoOptions
    parts: ClassVar[tuple[float, float, float]] = DEFAULT_SPLIT
    portable: ClassVar[tuple[str, ...] | None] = None
    made: ClassVar[bool] = False
    together: ClassVar[bool] = False
    beginnings: ClassVar[bool] = False

    def guess(self, sample: Sample) -> Guess | None:
        """How this reader would read the file; None = it would not. Looks at the sample alone, and never raises."""
        if sample.suffix and sample.suffix in self.suffixes:
            return Guess(0.9, self.Options(), self.parts, f"the suffix {sample.suffix}")
        return None

    def read(self, source: Source, options: Any, problems: Problems) -> Examples:
        """The file as examples.

        problems: takes what is wrong at single places; errors there keep the dataset from being trained on. Raises
        StudioError when nothing can be read at all, with the file, the line and what to do.
        """
        raise NotImplementedError

    def learn(self, source: Source, options: Any, training: TrainingPart) -> Any:
        """The options, with what must be learned of the training part before the file is in pieces (byte pairs).

        Not called where a model's own are kept. Most readers learn nothing here: see Examples.
        """
        return options

    def vocabulary(self, spec: FieldSpec, options: Any) -> Vocabulary:
        """How text becomes tokens of a field, and back: for prompts and for what a model writes."""
        from rnnstudio.data.vocabulary import Vocabulary

        return Vocabulary(spec.vocabulary, "tokens", tokeniser=self)

    def split(self, text: str) -> list[str]:
        """A prompt in the pieces that the vocabulary numbers. Raises StudioError for a text that has no such pieces."""
        return text.split()

    def join(self, tokens: Sequence[str]) -> str:
        """What a model wrote, as text."""
        return " ".join(tokens)

    def choose(self, options: Mapping[str, JSON], chosen: Mapping[str, JSON]) -> dict[str, JSON]:
        """The options with a person's put in: what was only proposed and goes not with them, goes."""
        return {**options, **chosen}

    def like(self, sample: Sample, guessed: Mapping[str, JSON], own: Mapping[str, JSON]) -> dict[str, JSON]:
        """The options for another file in a design's way: what was guessed, with the design's choices that do not
        depend on the file, or fit it."""
        portable = self.portable
        kept = own if portable is None else {name: own[name] for name in portable if name in own}
        return {**guessed, **kept}


def choose(recipe: DataRecipe, chosen: Mapping[str, JSON]) -> DataRecipe:
    """The recipe with these options put in: those of the split (see Dividing), the others by its reader, where there is
    one. chosen: values, or as they are typed."""
    recipe, chosen = chosen_of(recipe, chosen)
    reader = _own.get(recipe.reader) or _plugged.get(recipe.reader)
    if reader is None:
        return recipe.replace(options={**recipe.options, **chosen})
    chosen = data_options.as_meant(data_options.FileOptions, data_options.as_meant(reader.Options, chosen))
    old, new = recipe.options.get("encoding"), chosen.get("encoding")
    named = data_options.renamed(reader.Options, recipe.options, old, new) if old and new and old != new else None
    options = reader.choose(named or recipe.options, chosen)
    column = recipe.dividing.get("split_column")
    if recipe.dividing.get("split") in ("group", "column"):  # what tells parts apart is not learned from
        for role in ("inputs", "targets"):
            listed = options.get(role)
            if role not in chosen and isinstance(listed, list) and column in listed:
                options[role] = [name for name in listed if name != column]
    return recipe.replace(options=options)


_own: Mapping[str, Reader] = MappingProxyType({})
_plugged: Mapping[str, Reader] = MappingProxyType({})


def install_own(readers: Iterable[Reader]) -> None:
    """These come with the studio; no plugin can replace them."""
    global _own
    _own = MappingProxyType({reader.name: reader for reader in readers})


def install(readers: Iterable[Reader]) -> None:
    """From now on these are the plugins' readers."""
    global _plugged
    _plugged = MappingProxyType({reader.name: reader for reader in readers})


def own() -> tuple[Reader, ...]:
    """The readers that come with the studio."""
    return tuple(_own.values())


def plugged() -> tuple[Reader, ...]:
    """The readers of the loaded plugins."""
    return tuple(_plugged.values())


def every() -> tuple[Reader, ...]:
    """All readers, the studio's own first."""
    return (*own(), *plugged())


def find(name: str) -> Reader:
    """The reader of that name. Raises StudioError when it is not there."""
    reader = _own.get(name) or _plugged.get(name)
    if reader is None:
        known = ", ".join((*_own, *_plugged))
        raise StudioError(
            f"there is no data reader {name!r}: is a plugin missing?",
            where="data recipe",
            remedy=f"Install the plugin that brings it, or choose another file. Readers: {known}.",
        )
    return reader


def find_task(name: str) -> Reader:
    """The task of that name. Raises StudioError listing all when there is none."""
    found = next((reader for reader in every() if reader.made and reader.name == name), None)
    if found is None:
        raise StudioError(
            f"there is no {name!r}",
            where="data",
            remedy=f"Tasks: {', '.join(reader.name for reader in every() if reader.made)}.",
        )
    return found


def known(name: str) -> bool:
    """Whether there is a reader of that name."""
    return name in _own or name in _plugged


def guesses(sample: Sample) -> list[tuple[Reader, Guess]]:
    """Every reader that would read the file, the surest first; among equals a plugin's."""
    found = []
    for order, reader in enumerate((*plugged(), *own())):
        made = _guess_of(reader, sample)
        if made is not None:
            found.append((-made.confidence, order, reader, made))
    return [(reader, made) for _, _, reader, made in sorted(found, key=lambda item: item[:2])]


def _guess_of(reader: Reader, sample: Sample) -> Guess | None:
    try:
        made = reader.guess(sample)
    except StudioError:
        raise
    except Exception as error:
        raise _bug(reader, f"{type(error).__name__}: {error}", sample.shown) from error
    if made is not None and not isinstance(made, Guess):
        raise _bug(reader, f"it proposed {type(made).__name__}, not a Guess", sample.shown)
    return made


def read_with(
    reader: Reader, recipe: DataRecipe, path: Entry, problems: Problems, fit: bool = True, most: int = 0
) -> tuple[Examples, Source]:
    """What the reader finds in the file. Whatever goes wrong in it is a StudioError with its name.

    fit, most: see open_dataset and preview.inspect.
    """
    if reader.made != recipe.made or (reader.made and reader.name != recipe.path):
        raise StudioError(
            f"the reader {reader.name!r} does not go with {recipe.path!r}",
            where="data recipe",
            remedy="A task is both the reader and the path; a file has a reader of files.",
        )
    options = data_options.parse(reader.Options, recipe.options)
    most = most if most and reader.beginnings and not is_folder(path, recipe.path) else 0
    source = Source(path, recipe.path, most, column=dividing_of(recipe).split_column)
    try:
        if fit:
            options = reader.learn(Source(path, recipe.path, most), options, TrainingPart(recipe))
        found = reader.read(source, options, problems)
    except (StudioError, MemoryError):
        raise
    except Exception as error:
        raise _bug(reader, f"{type(error).__name__}: {error}", recipe.path) from error
    if not isinstance(found, Examples):
        raise _bug(reader, f"it returned {type(found).__name__}, not Examples", recipe.path)
    if not found.fields:
        problems.raise_first()
        raise StudioError("the file holds no example", where=recipe.path, remedy="Choose a file with data in it.")
    return replace(found, keys={**source.kept, **found.keys}), source


def _bug(reader: Reader, why: str, where: str) -> StudioError:
    whose = " of a plugin" if reader.name in _plugged else ""
    return StudioError(
        f"the data reader {reader.name!r}{whose} failed: {why}",
        where=where,
        remedy="Report it to the plugin's author, or choose another file." if whose else "Please report this.",
    )
