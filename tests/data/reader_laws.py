"""What every reader satisfies, ours and plugins': functions that raise AssertionError, for tests and new readers."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from rnnstudio import data
from rnnstudio.data import readers
from rnnstudio.data.batches import Batches
from rnnstudio.data.options import describe, parse, to_json
from rnnstudio.data.progress import Cancelled, Watch, watched
from rnnstudio.data.readers import Guess, Reader
from rnnstudio.data.source import SAMPLE_BYTES, Sample
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe
from tests.data.packed_files import STREAMS, encrypted, lying, zipped


def _told(ask: Callable[[], object]) -> StudioError | None:
    """The StudioError that asking raises; anything else that is raised goes on its way."""
    try:
        ask()
    except StudioError as error:
        return error
    return None


def it_proposes_its_own_file(reader: Reader, path: Path) -> DataRecipe:
    """Of all readers it is the surest, with options that it takes."""
    recipe = data.guess(path)
    assert recipe.reader == reader.name
    return recipe


def options_go_round(reader: Reader, recipe: DataRecipe) -> None:
    """Options survive JSON, every one has a help and a default that fits, and an unknown one is refused by name."""
    made = parse(reader.Options, recipe.options)
    assert parse(reader.Options, to_json(made)) == made
    assert parse(reader.Options, to_json(parse(reader.Options, {}))) == reader.Options()
    assert all(item.help and item.title for item in describe(reader.Options))
    refused = _told(lambda: parse(reader.Options, {"no such option": 1}))
    assert refused is not None
    assert "no such option" in refused.what


def the_same_file_gives_the_same_dataset(recipe: DataRecipe) -> data.Dataset:
    """Reading twice gives equal recipes and arrays, and reading the complete recipe changes nothing."""
    one, other = data.open(recipe), data.open(recipe)
    again = data.open(one.recipe)
    frozen = data.open(one.recipe, fit=False)
    for found in (other, again, frozen):
        assert found.recipe == one.recipe
        assert found.axes.keys() == one.axes.keys()
        for name, track in one.tracks.items():
            assert np.array_equal(found.tracks[name].values, track.values)
    return one


def nothing_is_learned_from_other_parts(dataset: data.Dataset) -> None:
    """Counts of classes are those of the training part, and fields know their axis."""
    for spec in dataset.fields:
        track = dataset.tracks[spec.name]
        assert track.axis == spec.axis
        rows = dataset.sequences if spec.axis is None else int(dataset.axes[spec.axis][-1])
        assert len(track.values) == rows
        if spec.content == "tokens":
            assert spec.size == len(spec.vocabulary) > 0
            assert int(track.values.max()) < spec.size
        if spec.counts:
            found = np.bincount(dataset.values_of("train", spec.name), minlength=spec.size)
            assert tuple(found.tolist()) == spec.counts


def the_preview_holds_what_batches_hold(dataset: data.Dataset) -> None:
    """Every example in the preview is that of the dataset, and batches read those arrays and no others."""
    shown = data.preview_of(dataset, 5)
    assert shown.examples
    assert all(len(row) == len(shown.columns) for row in shown.rows)
    batches = Batches(dataset, "train", 4, shuffle=False, context=0)
    cut, batch = batches.cut(0, 0), batches.batch(0, 0)
    for row, example in enumerate(cut.sequence.tolist()):
        for spec in dataset.fields:
            track, found = dataset.tracks[spec.name], batch.fields[spec.name][row].numpy()
            if spec.axis is None:
                wanted = track.values[example]
            elif spec.axis == dataset.axis:
                first = int(cut.start[row]) + track.shift
                wanted = track.values[first : first + int(cut.length[row])]
            else:
                wanted = dataset.example(example)[spec.name]
            assert np.array_equal(found[: len(wanted)] if spec.axis else found, wanted)


def a_guess_reads_a_bounded_sample(reader: Reader, path: Path) -> None:
    """However long the file and its lines are: what a guess sees does not grow with it."""
    long = path.with_name(f"long{path.suffix}")
    with long.open("wb") as stream:
        stream.write(path.read_bytes())
        stream.truncate(40 * SAMPLE_BYTES)
    sample = Sample.of(long, str(long))
    assert len(sample.head) == SAMPLE_BYTES
    made = reader.guess(sample)
    assert made is None or isinstance(made, Guess)


def a_beginning_is_a_file_of_its_own(reader: Reader, recipe: DataRecipe, path: Path) -> None:
    """Where a reader says so, a first look that ends amid a file has no errors that the whole of it has not."""
    if not reader.beginnings or not path.is_file():
        return
    whole = data.inspect(recipe)
    assert whole.whole
    size = path.stat().st_size
    for most in range(size // 2, size - 1, max(size // 12, 1)):
        shown = data.inspect(recipe, most=most)
        assert not shown.whole
        assert shown.usable, (most, shown.problems)
        assert shown.recipe.digest == ""
        assert shown.statistics is not None
        assert whole.statistics is not None
        assert shown.statistics.beginning
        assert 0 < shown.statistics.rows <= whole.statistics.rows
        assert [spec.name for spec in shown.recipe.fields] == [spec.name for spec in whole.recipe.fields]
        assert f"of {size / 1e6:,.0f} MB" in shown.summary


def a_reading_that_is_called_off_ends(recipe: DataRecipe) -> None:
    """Whenever that is: before it begins, and at moments at which it says how far it is."""
    moments = _Moments()
    with watched(moments):
        dataset = data.open(recipe)
    assert moments.told
    assert dataset.recipe == data.open(recipe).recipe  # being watched changes nothing
    for last in sorted({1, *range(1, moments.told + 1, max(moments.told // 5, 1)), moments.told}):
        called_off = _Moments(last)
        try:
            with watched(called_off):
                data.open(recipe)
        except Cancelled:
            continue
        raise AssertionError(f"it went on when called off at its moment {last} of {moments.told}")


class _Moments(Watch):
    """Counts the moments at which it is asked whether to go on, and calls the reading off at one of them."""

    def __init__(self, last: int = 0) -> None:
        self.last, self.told = last, 0
        super().__init__()

    @property  # type: ignore[override]
    def cancelled(self) -> bool:
        self.told += 1
        return self.told == self.last

    @cancelled.setter
    def cancelled(self, value: bool) -> None:
        pass


def hostile(good: bytes) -> Iterator[bytes]:
    """Files that no reader likes: empty, binary, cut, one endless line, wrong encodings, open quotes and brackets."""
    pick = random.Random(11)
    yield from (b"", b"\n\n \n", b"\x00" * 50, bytes(range(256)) * 4, b"a" * 70_000, b'"' * 999, b"((((" * 500)
    yield from (b"\xff\xfe" + good, b"\xef\xbb\xbf" + good, good[: len(good) // 3], good + b"\xff\xfe\xfa", b"{" * 9000)
    yield from (
        good.replace(b"\n", b""),
        good.replace(b"\t", b""),
        good.replace(b"\n", b"\r"),
        b"\t" * 400,
        b",\n" * 99,
    )
    yield from misshapen(good)
    for _ in range(40):
        changed = bytearray(good[:4000])
        for _ in range(pick.randint(1, 30)):
            changed[pick.randrange(len(changed))] = pick.choice(b'\x00\n\t,"();:-.#1a\xff ')
        yield bytes(changed)


def misshapen(good: bytes) -> Iterator[bytes]:
    """Files of the right kind and the wrong shape: a header alone, rows of other widths, other delimiters, 100,000
    columns, no numbers at all, other alphabets, brackets the wrong way round, heads in a circle."""
    lines = good[:4000].split(b"\n")[:-1] or [b"a"]
    yield lines[0] + b"\n"
    yield b"\n".join(line + b",1\t2" * (place % 3) for place, line in enumerate(lines))
    for mark, other in ((b",", b";"), (b"\t", b","), (b",", b"\t"), (b" ", b"|"), (b";", b" ")):
        yield good[:4000].replace(mark, other)
    for mark in (b",", b"\t"):
        yield mark.join(b"c%d" % place for place in range(100_000)) + b"\n" + (mark.join([b"1"] * 100_000) + b"\n") * 3
    yield lines[0] + b"\n" + b"NaN,NaN,nan\n" * 200
    yield b"\n".join(lines[:1] + [b"inf,1e999,-1e999,1e-999"] * 50)
    yield good[:4000] + "\nдата\tзнач,ещё;одно\n".encode("cp1251") * 20
    yield good[:4000].translate(bytes.maketrans(b"()[]{}", b")(][}{"))
    yield good[:4000].replace(b")", b"").replace(b"]", b"")
    yield good[:4000].replace(b'"', b"").replace(b"\n", b'"\n', 3)
    circle = b"".join(b"%d\tw\tw\tN\t_\t_\t%d\tx\t_\t_\n" % (word, word % 3 + 1) for word in (1, 2, 3))
    yield (circle + b"\n") * 30


MOST_MEGABYTES = 2
"""What a packed file may unpack to in these trials."""


def packed_badly(good: bytes) -> Iterator[tuple[str, bytes]]:
    """What a packed file should not be, by suffix: cut, damaged, a bomb, empty, packed twice, names that leave it."""
    pack = {**STREAMS, ".zip": lambda content: zipped({"a": content})}
    for suffix, packing in pack.items():
        whole = packing(good)
        middle = len(whole) // 2
        yield suffix, whole[:middle]
        yield suffix, whole[: len(whole) - 5]
        yield suffix, whole[:middle] + bytes(40) + whole[middle + 40 :]
        yield suffix, packing(b"")
        yield suffix, packing(whole)
        yield suffix, packing(good + bytes((MOST_MEGABYTES + 1) * 1_000_000))
        yield suffix, packing(b"\x00" * 5000)
    yield ".zip", zipped({"../a": good})
    yield ".zip", zipped({"/a": good})
    yield ".zip", zipped({"a": good, "b": good})
    yield ".zip", encrypted({"a": good})
    yield ".zip", lying({"a": good}, 4_000_000_000)


def a_badly_packed_file_gives_one_clear_error(reader: Reader, recipe: DataRecipe, path: Path) -> None:
    """As for files that are not packed; and no more of it is unpacked than is allowed."""
    chosen = {"unpacked_megabytes": MOST_MEGABYTES}
    options = {**recipe.options, **chosen}
    for suffix, content in packed_badly(path.read_bytes()):
        bad = path.with_name(f"bad{path.suffix}{suffix}")
        bad.write_bytes(content)
        for ask in (
            lambda bad=bad: data.guess(bad, chosen),
            lambda bad=bad: data.open(recipe.replace(path=str(bad), options=options)),
        ):
            error = _told(ask)
            assert error is None or "\n" not in str(error), str(error)
            assert error is None or "failed: " not in error.what, str(error)
        bad.unlink()


def what_is_no_file_is_told(reader: Reader, recipe: DataRecipe, folder: Path) -> None:
    """A pipe, a socket, a device, a folder of nothing, a link to nothing: told at once, none of them waited for."""
    pipe, nothing, loop = folder / "pipe", folder / "nothing", folder / "loop"
    os.mkfifo(pipe)
    nothing.mkdir()
    loop.symlink_to(loop)
    with socket.socket(socket.AF_UNIX) as ear:
        ear.bind(str(folder / "s"))
        for place in (pipe, nothing, loop, folder / "s", Path("/dev/zero"), Path("/dev/null"), Path("/dev/tty")):
            for ask in (
                lambda place=place: data.guess(place),
                lambda place=place: data.open(recipe.replace(path=str(place))),
            ):
                error = _told(ask)
                assert error is not None, f"{place} was read"
                assert "\n" not in str(error)
                assert error.remedy


def a_bad_file_gives_one_clear_error(reader: Reader, recipe: DataRecipe, path: Path) -> None:
    """Guessing never raises anything but StudioError, and reading raises one StudioError of one line, or reads."""
    good = path.read_bytes()
    bad = path.with_name(f"bad{path.suffix}")
    for content in hostile(good):
        bad.write_bytes(content)
        for ask in (lambda: reader.guess(Sample.of(bad, "bad")), lambda: data.open(recipe.replace(path=str(bad)))):
            error = _told(ask)
            assert error is None or "\n" not in str(error), str(error)
            assert error is None or "failed: " not in error.what, str(error)
        shown = data.inspect(recipe.replace(path=str(bad)))
        assert shown.usable or shown.problems
    for missing in (path.with_name("none"), Path("/dev/zero")):
        error = _told(lambda missing=missing: data.open(recipe.replace(path=str(missing))))
        assert error is not None, f"{missing} was read"
        assert error.where or error.remedy


def every_registered_reader() -> tuple[str, ...]:
    return tuple(reader.name for reader in readers.every())
