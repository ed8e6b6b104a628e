"""gzip, bzip2, xz and zip: the same data as unpacked, whatever the reader; and one clear error for what is no such."""

from __future__ import annotations

import gzip
import lzma
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rnnstudio import data
from rnnstudio.data import readers
from rnnstudio.data.source import SAMPLE_BYTES, Sample
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe
from tests.data.packed_files import STREAMS, bomb, encrypted, folder_zipped, lying, packed, tarred, zipped
from tests.data.reader_samples import SAMPLES, chapters, table, text, with_plugins
from tests.data.sequence_files import folders

__all__ = ["with_plugins"]

SUFFIXES = (*STREAMS, ".zip")
of_files = pytest.mark.parametrize(
    ("name", "write"),
    [s for s in SAMPLES if not readers.known(s[0]) or not readers.find(s[0]).made],
    ids=lambda given: getattr(given, "__name__", str(given)),
)


def refused(path: Path, **options: object) -> str:
    with pytest.raises(StudioError) as told:
        data.open(data.guess(path, options))  # type: ignore[arg-type]
    assert "\n" not in str(told.value)
    return str(told.value)


def same(one: data.Dataset, other: data.Dataset) -> None:
    assert one.recipe.fields == other.recipe.fields
    for name, track in one.tracks.items():
        assert np.array_equal(other.tracks[name].values, track.values)


@pytest.mark.usefixtures("with_plugins")
@of_files
def test_every_reader_reads_the_same_from_a_packed_file(
    name: str, write: Callable[[Path], Path], tmp_path: Path
) -> None:
    path = write(tmp_path)
    plain = data.open(data.guess(path))
    if path.is_dir():
        archive = tmp_path / "all.zip"
        archive.write_bytes(folder_zipped(path))
        one = data.open(data.guess(archive))
        assert one.recipe.reader == name
        same(plain, one)
        assert data.open(one.recipe).recipe == one.recipe
        return
    for suffix in SUFFIXES:
        one = data.open(data.guess(packed(path, suffix)))
        assert one.recipe.reader == name
        same(plain, one)
        assert data.open(one.recipe).recipe == one.recipe
        assert one.recipe.digest == plain.recipe.digest
        path = write(tmp_path) if path.parent == tmp_path else path


def test_suffixes_do_not_count_and_nothing_is_left_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spare").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spare"))
    path = table(tmp_path)
    plain = data.open(data.guess(path))
    other = tmp_path / "flow.csv"
    other.write_bytes(gzip.compress(path.read_bytes()))  # called like a table, and packed
    same(plain, data.open(data.guess(other)))
    two = tmp_path / "two.csv.gz"
    half = len(gzip.decompress(other.read_bytes())) // 2
    content = gzip.decompress(other.read_bytes())
    two.write_bytes(gzip.compress(content[:half]) + gzip.compress(content[half:]))  # as bgzip and cat make it
    same(plain, data.open(data.guess(two)))
    (tmp_path / "two.csv.xz").write_bytes(lzma.compress(content[:half]) + bytes(8) + lzma.compress(content[half:]))
    same(plain, data.open(data.guess(tmp_path / "two.csv.xz")))
    for array in (np.arange(400.0).reshape(200, 2),):
        np.save(tmp_path / "a.npy", array)
        np.savez(tmp_path / "b.npz", x=array)
        for name in ("a.npy", "b.npz"):
            assert data.open(data.guess(packed(tmp_path / name, ".gz"))).rows == 200
    assert list((tmp_path / "spare").iterdir()) == []


def test_byte_pairs_of_a_packed_text_are_those_of_its_training_part(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    path = tmp_path / "a.txt"
    path.write_text("".join(f"the {n % 7} cat sat on the {n % 5} mat\n" for n in range(400)))
    options = {"level": "byte-pair", "size": 270}
    plain = data.open(data.choose(data.guess(path), options))
    same(plain, data.open(data.choose(data.guess(packed(path, ".gz")), options)))


def test_two_files_line_by_line_may_be_packed(tmp_path: Path) -> None:
    lines = [f"{number:03d}" for number in range(60)]
    (tmp_path / "n.src").write_text("\n".join(lines) + "\n")
    (tmp_path / "n.tgt").write_text("\n".join(line[::-1] for line in lines) + "\n")
    plain = data.open(data.guess(tmp_path / "n.src"))
    both = {name: (tmp_path / name).read_bytes() for name in ("n.src", "n.tgt")}
    packed(tmp_path / "n.tgt", ".xz")
    same(plain, data.open(data.guess(tmp_path / "n.src")))
    one = data.open(data.guess(packed(tmp_path / "n.src", ".gz")))
    assert one.recipe.options["target_file"] == "n.tgt.xz"
    same(plain, one)
    (tmp_path / "both.zip").write_bytes(zipped(both))
    same(plain, data.open(data.guess(tmp_path / "both.zip", {"member": "n.src"})))


def test_an_archive_of_several_tables_is_told_with_their_names(tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    one, two = table(tmp_path).read_bytes(), b"a;b\n" + b"1;2\n3;4\n" * 200
    path.write_bytes(zipped({"README.md": b"# Two tables\n", "in/flow.csv": one, "in/other.csv": two}))
    recipe = data.guess(path)
    assert recipe.options["member"] == "in/other.csv"  # the larger one
    dataset = data.open(recipe)
    assert dataset.recipe.options["member"] == "in/other.csv"
    told = [str(problem) for problem in data.inspect(recipe).problems]
    assert any("the archive holds other files, too: in/flow.csv" in one and "member" in one for one in told)
    assert data.open(data.guess(path, {"member": "in/flow.csv"})).recipe.field("inputs").columns == ("flow", "rain")
    assert "there is no 'x.csv' in the archive" in refused(path, member="x.csv")
    assert "It holds: in/flow.csv, in/other.csv" in refused(path, member="x.csv")
    with pytest.raises(StudioError, match=r"archive of several files, not one .*option member to one of them: in/fl"):
        data.open(DataRecipe("csv", str(path)))


def test_what_only_says_something_about_the_data_is_no_file_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"LICENSE": b"MIT", "a.csv": table(tmp_path).read_bytes(), ".hidden": b"x", "d/": b""}))
    assert data.guess(path).options.get("member") is None
    assert data.open(data.guess(path)).recipe.field("inputs").columns == ("flow", "rain")


def test_a_folder_of_packed_texts(tmp_path: Path) -> None:
    folder = chapters(tmp_path)
    plain = data.open(data.guess(folder))
    for file in sorted(folder.iterdir())[:3]:
        packed(file, ".gz")
    same(plain, data.open(data.guess(folder)))
    classes = folders(tmp_path)
    plain = data.open(data.guess(classes))
    for file in sorted(classes.rglob("*.txt")):
        packed(file, ".bz2")
    same(plain, data.open(data.guess(classes)))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_guess_unpacks_a_bounded_sample(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "long.csv"
    path.write_bytes(b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * n % 91) for n in range(900_000)))
    size = path.stat().st_size
    made = packed(path, suffix)
    sample = Sample.of(made, "long")
    assert len(sample.head) == SAMPLE_BYTES
    assert sample.size == pytest.approx(size, rel=0.3)
    assert sample.suffix == ".csv"
    assert not sample.whole


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_bomb_is_told_before_it_fills_the_memory(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"bomb.csv{suffix}"
    path.write_bytes(bomb(suffix))
    told = refused(path)
    assert "it unpacks to more than 200 times its size" in told
    assert "Set the option unpacked_times to more" in told
    assert "it unpacks to more than 100 MB" in refused(path, unpacked_megabytes=100, unpacked_times=100_000)


def test_bounds_that_are_raised_let_it_in(tmp_path: Path) -> None:
    path = tmp_path / "zeros.csv.gz"
    path.write_bytes(bomb(".gz", 65))
    assert "200 times" in refused(path, mode="row_is_step")
    recipe = data.guess(path, {"unpacked_times": 2000})
    assert recipe.options["unpacked_times"] == 2000
    assert data.readers.read_with(
        data.readers.find("text"),
        DataRecipe("text", str(path), {"unpacked_times": 2000}),
        data.opening.place_of(DataRecipe("text", str(path), {"unpacked_times": 2000}), Path()),
        data.problems.Problems("zeros"),
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_packed_file_that_is_cut_or_damaged_anywhere(tmp_path: Path, suffix: str) -> None:
    plain = text(tmp_path).read_text()[:2000]
    path = packed(tmp_path / "story.txt", suffix)
    good = path.read_bytes()
    for end in range(10, len(good) - 1, max(len(good) // 25, 1)):
        path.write_bytes(good[:end])
        assert "is cut" in refused(path)
    for place in range(6, len(good), max(len(good) // 40, 1)):
        spoiled = bytearray(good)
        spoiled[place] ^= 0x5A
        path.write_bytes(spoiled)
        shown = data.inspect(DataRecipe("text", str(path)))
        assert shown.problems or shown.excerpt == plain  # a byte that means nothing, such as a date
        assert all("\n" not in str(problem) for problem in shown.problems)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (zipped({"../../evil.txt": b"x"}), "the name '../../evil.txt' leaves the archive"),
        (zipped({"a.txt": b"x", "b/../../c.txt": b"x"}), "the name 'b/../../c.txt' leaves the archive"),
        (zipped({"/etc/passwd": b"x"}), "the name '/etc/passwd' leaves the archive"),
        (zipped({"C:\\a.txt": b"x"}), "leaves the archive"),
        (zipped({"..\\a.txt": b"x"}), "leaves the archive"),
        (encrypted({"a.txt": b"secret" * 99}), "the archive is encrypted: 'a.txt' needs a password"),
        (zipped({"a.zip": zipped({"a.txt": b"x" * 99})}), "it holds a file that is packed once more"),
        (zipped({"a.txt.gz": gzip.compress(b"x" * 99)}), "it holds a file that is packed once more"),
        (gzip.compress(gzip.compress(b"x" * 99)), "it holds a file that is packed once more"),
        (gzip.compress(zipped({"a.txt": b"x" * 99})), "it holds a file that is packed once more"),
        (gzip.compress(tarred({"a.txt": b"x" * 99})), "it holds an archive of tar"),
        (zipped({}), "the archive holds no file"),
        (zipped({"a/": b"", ".b": b"x"}), "the archive holds no file"),
        (zipped({"a": b"x", "a/b": b"x"}), "is a file and a folder"),
        (lying({"a.txt": b"x" * 99, "b.txt": b"y"}, 2_000_000_000), "it unpacks to more than 200 times its size"),
        (lying({"a.txt": b"x" * 999}, 99), "the zip file is cut or damaged: Bad CRC-32"),
        (gzip.compress(b""), "the file is empty"),
        (b"\x1f\x8b\x08\x00 and then some text", "the gzip file is cut or damaged"),
        (b"PK\x03\x04 and then some text", "the zip file is cut or damaged"),
        (b"\xfd7zXZ\x00 and then some text", "the xz file is cut or damaged"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_archives_that_nobody_should_read(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    assert told in refused(path)
    shown = data.inspect(DataRecipe("text", str(path)))
    assert not shown.usable
    assert told in shown.problems[0].what
    assert [file.name for file in tmp_path.iterdir()] == ["a.zip"]


def test_links_of_an_archive_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("link.txt")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("b.txt", "a text that is read as it is\n" * 20)
    assert data.open(data.guess(path)).excerpt.startswith("a text that is read")


def test_xz_that_wants_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.xz"
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    path.write_bytes(lzma.compress(b"a text\n" * 99, filters=filters))
    assert "needs too much memory to be unpacked" in refused(path)
