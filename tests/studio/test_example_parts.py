"""The picture of the first examples: what stands where, without a window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rnnstudio import data
from rnnstudio.data.preview import ExampleView
from rnnstudio.studio.panels.example_parts import EXAMPLES, Curve, Picture, Words, arranged, picture_of
from tests.data.more_readers import marked_bushes, more_readers, vectors
from tests.data.reader_samples import table, text
from tests.data.sequence_files import pairs, reviews, tagged

LINE = 16.0


@pytest.fixture(autouse=True)
def with_more_readers() -> Iterator[None]:
    with more_readers():
        yield


def examples_of(path: Path) -> tuple[ExampleView, ...]:
    return data.inspect(data.guess(path)).examples


def painted(path: Path, width: float = 400.0, window: int = 0) -> Picture:
    return picture_of(examples_of(path), width, LINE, lambda text: 8.0 * len(text), window)


def test_a_shorter_example_is_padded_to_the_longest_that_is_shown(tmp_path: Path) -> None:
    path = reviews(tmp_path)
    lengths = [example.fields[0].length for example in examples_of(path)[:EXAMPLES]]
    picture = painted(path, 2000.0)
    assert len(picture.chips("token")) == sum(lengths)
    assert len(picture.chips("padding")) == sum(max(lengths) - length for length in lengths)


def test_a_label_stands_beside_the_name_of_its_example(tmp_path: Path) -> None:
    picture = painted(reviews(tmp_path))
    labels = picture.chips("class")
    heads = [part for part in picture.parts if isinstance(part, Words) and part.strong]
    assert [chip.rect.top() for chip in labels] == [head.rect.top() for head in heads]
    assert all(head.rect.right() <= chip.rect.left() for head, chip in zip(heads, labels, strict=True))


def test_a_tag_stands_below_its_word(tmp_path: Path) -> None:
    picture = painted(tagged(tmp_path))
    words, tags = picture.chips("token"), picture.chips("class")
    assert len(words) == len(tags)
    for word, tag in zip(words, tags, strict=True):
        assert (word.rect.left(), word.rect.width()) == (tag.rect.left(), tag.rect.width())
        assert tag.rect.top() >= word.rect.bottom()


def test_pairs_have_a_row_for_each_of_their_axes(tmp_path: Path) -> None:
    picture = painted(pairs(tmp_path))
    captions = [part.text for part in picture.parts if isinstance(part, Words) and "along" in part.text]
    assert captions[0].endswith("along source")
    assert captions[1].endswith("along target")


def test_windows_end_where_training_cuts(tmp_path: Path) -> None:
    picture = painted(text(tmp_path), 2000.0, window=10)
    ends = {round(line.start.x()) for line in picture.lines("window")}
    begins = {round(chip.rect.left() - 1.2) for chip in picture.chips("token") if chip.tip.startswith("text, step 10:")}
    assert begins <= ends
    assert not painted(text(tmp_path), 2000.0).lines("window")


def test_what_has_no_room_is_told(tmp_path: Path) -> None:
    picture = painted(text(tmp_path), 200.0)
    shown = sum(chip.tip.startswith("text,") for chip in picture.chips("token"))
    more = next(part for part in picture.parts if isinstance(part, Words) and part.text.endswith("more"))
    assert shown < 1140
    assert int(more.text.split()[1].replace(",", "")) >= 1140 - shown - 8
    assert not any(chip.rect.intersects(more.rect) for chip in picture.chips("token"))


def test_a_tree_stands_with_each_node_above_its_children(tmp_path: Path) -> None:
    places, depths = arranged([2, 2, 4, 4, -1])
    assert depths == [2, 2, 1, 1, 0]
    assert places == [0.0, 1.0, 0.5, 2.0, 1.25]
    picture = painted(marked_bushes(tmp_path))
    nodes = sum(example.fields[0].length for example in examples_of(tmp_path / "some.marked")[:EXAMPLES])
    assert len(picture.chips("token")) == len(picture.chips("class")) == nodes
    assert len(picture.lines("branch")) == nodes - EXAMPLES
    assert all(line.start.y() < line.end.y() for line in picture.lines("branch"))


def test_numbers_are_curves_and_a_vector_is_written(tmp_path: Path) -> None:
    curves = [part for part in painted(table(tmp_path)).parts if isinstance(part, Curve)]
    assert curves
    assert any(curve.dashed for curve in curves)
    written = [part.text for part in painted(vectors(tmp_path)).parts if isinstance(part, Words)]
    assert any(line.startswith("inputs: a ") for line in written)


def test_a_node_without_a_word_shows_what_else_is_known_of_it(tmp_path: Path) -> None:
    """Words stand at the leaves of most treebanks; the labels of the nodes above stay."""
    path = tmp_path / "trees.txt"
    path.write_text("(1 (2 It) (1 (2 was) (0 dull)))\n(2 (2 A) (2 film))\n(3 (2 So) (3 good))\n" * 3, encoding="utf-8")
    picture = painted(path, 900.0)
    assert all("\u2047" not in chip.text for chip in picture.chips("token"))
    assert {"It", "was", "dull"} <= {chip.text for chip in picture.chips("token")}
    nodes = sum(view.length for example in examples_of(path)[:EXAMPLES] for view in example.fields[:1])
    assert len(picture.chips("class")) == nodes
