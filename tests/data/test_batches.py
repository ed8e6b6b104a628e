"""Batches: every step counted once, padding harmless, any batch the same whenever it is asked for, and fast."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnstudio import data
from rnnstudio.data.batches import Batch, Batches
from rnnstudio.data.plans import expected_padding, padding_in_words
from rnnstudio.design.errors import StudioError
from rnnstudio.design.recipe import DataRecipe

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def text_dataset(folder: Path, length: int, split=(0.6, 0.2, 0.2)) -> data.Dataset:
    """A text in which no run of five characters occurs twice, so that a target tells its place."""
    random = np.random.default_rng(length)
    (folder / "a.txt").write_text("".join(random.choice(list(LETTERS), length)) if length else "")
    return data.open(DataRecipe("text", "a.txt", split=split), folder)


def series_dataset(folder: Path, lengths: list[int], horizon: int = 1, **options) -> data.Dataset:
    """Sequences whose every value is another number: the row it stands on."""
    rows = [(group, value) for group, length in enumerate(lengths) for value in range(length)]
    lines = "".join(f"g{group},{row}\n" for row, (group, _) in enumerate(rows))
    (folder / "t.csv").write_text("g,v\n" + lines)
    chosen = {"group": "g", "inputs": ["v"], "horizon": horizon, **options}
    return data.open(DataRecipe("csv", "t.csv", chosen, (0.6, 0.2, 0.2)), folder)


def counted_rows(dataset: data.Dataset, batch: Batch, field: str = "targets") -> list[int]:
    """Which rows of the file a batch's loss counts, read back from the values of its targets."""
    chosen = batch.fields[field][batch.mask()]
    return np.rint(dataset.unscale(field, chosen.numpy())[:, 0]).astype(int).tolist()


def target_rows(split: data.Split, shift: int) -> list[int]:
    spans = split.spans
    return [t + shift for first, end in zip(spans.first, spans.end, strict=True) for t in range(int(first), int(end))]


def same(one: Batch, other: Batch) -> bool:
    return (
        all(torch.equal(one.fields[name], other.fields[name]) for name in one.fields)
        and torch.equal(one.lengths["time"], other.lengths["time"])
        and (one.carries, one.tokens, one.skip, one.full) == (other.carries, other.tokens, other.skip, other.full)
    )


def test_a_batch_has_the_shapes_and_types_the_network_expects(tmp_path: Path) -> None:
    batch = Batches(text_dataset(tmp_path, 3000), "train", 4, 50, carry=True).batch(0, 0)
    assert batch.fields["text"].shape == batch.fields["next"].shape == (4, 50)
    assert batch.fields["text"].dtype == batch.lengths["time"].dtype == torch.int64
    assert torch.equal(batch.fields["text"][:, 1:], batch.fields["next"][:, :-1])
    assert (batch.tokens, batch.size, batch.full, batch.skip) == (200, 4, True, 0)
    series = series_dataset(tmp_path, [30, 40])
    batch = Batches(series, "train", 4, 50).batch(0, 0)
    assert batch.fields["inputs"].shape == (2, 23, 1)
    assert batch.fields["inputs"].dtype == torch.float32
    assert sorted(batch.lengths["time"].tolist()) == [17, 23]
    assert batch.to("cpu").fields["inputs"].shape == (2, 23, 1)


@given(
    length=st.integers(60, 700),
    batch_size=st.integers(1, 40),
    chunk=st.integers(1, 40),
    carry=st.booleans(),
    part=st.sampled_from(["train", "validation", "test"]),
)
@settings(max_examples=80, deadline=None)
def test_an_evaluation_counts_every_character_once(tmp_path_factory, length, batch_size, chunk, carry, part) -> None:
    dataset = text_dataset(tmp_path_factory.mktemp("once"), length)
    split = dataset.split(part)
    batches = Batches(dataset, part, batch_size, chunk, carry, shuffle=False)
    places: Counter[int] = Counter()
    for index, batch in enumerate(batches):
        cut = batches.cut(0, index)
        assert int(cut.length.min()) > batch.skip
        assert batch.tokens == int(batch.mask().sum())
        assert batch.carries == (carry and index > 0)
        for row in range(batch.size):
            first, steps = int(cut.start[row]), int(cut.length[row])
            assert np.array_equal(
                batch.fields["text"][row, :steps], dataset.tracks["text"].values[first : first + steps]
            )
            assert np.array_equal(
                batch.fields["next"][row, :steps], dataset.tracks["text"].values[first + 1 : first + steps + 1]
            )
            assert not batch.fields["text"][row, steps:].any()
            places.update(range(first + 1 + batch.skip, first + 1 + steps))
    assert places == Counter(target_rows(split, 1))
    assert batches.tokens == split.steps == sum(places.values())


@given(
    lengths=st.lists(st.integers(1, 60), min_size=2, max_size=30),
    batch_size=st.integers(1, 8),
    chunk=st.integers(0, 30),
    horizon=st.integers(1, 3),
    part=st.sampled_from(["train", "validation", "test"]),
    context=st.sampled_from([None, 0, 5]),
)
@settings(max_examples=80, deadline=None)
def test_an_evaluation_counts_every_value_once(
    tmp_path_factory, lengths, batch_size, chunk, horizon, part, context
) -> None:
    lengths = [*lengths, 40, 40, 40, 40]
    dataset = series_dataset(tmp_path_factory.mktemp("values"), lengths, horizon)
    batches = Batches(dataset, part, batch_size, chunk, context=context, shuffle=False)
    seen = [row for batch in batches for row in counted_rows(dataset, batch)]
    assert sorted(seen) == target_rows(dataset.split(part), horizon)
    assert sum(batch.tokens for batch in batches) == batches.tokens == dataset.split(part).steps


@given(
    lengths=st.lists(st.integers(2, 60), min_size=25, max_size=40),
    batch_size=st.integers(1, 9),
    chunk=st.sampled_from([0, 1, 7, 30]),
    seed=st.integers(0, 2**40),
)
@settings(max_examples=60, deadline=None)
def test_padded_rows_equal_their_sequences(tmp_path_factory, lengths, batch_size, chunk, seed) -> None:
    dataset = series_dataset(tmp_path_factory.mktemp("padded"), lengths)
    batches = Batches(dataset, "train", batch_size, chunk, seed=seed, stride=chunk)
    seen: list[int] = []
    for index in range(len(batches)):
        batch, cut = batches.batch(3, index), batches.cut(3, index)
        assert batch.lengths["time"].tolist() == cut.length.tolist()
        assert batch.full == (len(set(cut.length.tolist())) == 1)
        for row, (start, steps) in enumerate(zip(cut.start.tolist(), cut.length.tolist(), strict=True)):
            for name, track in dataset.tracks.items():
                wanted = track.values[start + track.shift : start + track.shift + steps]
                assert np.array_equal(batch.fields[name][row, :steps].numpy(), wanted)
                assert not batch.fields[name][row, steps:].any()
        seen.extend(counted_rows(dataset, batch))
    assert sorted(seen) == target_rows(dataset.split("train"), 1)


@given(
    text=st.booleans(),
    carry=st.booleans(),
    batch_size=st.integers(1, 9),
    epoch=st.integers(0, 5),
    asked=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 10_000)), max_size=6),
)
@settings(max_examples=60, deadline=None)
def test_a_resumed_epoch_is_the_one_that_was_left(tmp_path_factory, text, carry, batch_size, epoch, asked) -> None:
    folder = tmp_path_factory.mktemp("resume")
    dataset = text_dataset(folder, 900) if text else series_dataset(folder, [*range(2, 30)])
    whole = Batches(dataset, "train", batch_size, 10, carry, seed=7)
    sequential = [list(whole.epoch(number)) for number in range(epoch + 1)]
    resumed = Batches(dataset, "train", batch_size, 10, carry, seed=7)
    for other_epoch, index in asked:
        resumed.batch(other_epoch, index % len(resumed))
    start = len(resumed) // 2
    rest = list(resumed.epoch(epoch, start))
    assert len(rest) == len(sequential[epoch]) - start
    assert all(same(one, other) for one, other in zip(rest, sequential[epoch][start:], strict=True))


def test_epochs_and_seeds_shuffle_differently(tmp_path: Path) -> None:
    dataset = text_dataset(tmp_path, 5000)
    one, other = Batches(dataset, "train", 8, 20, seed=1), Batches(dataset, "train", 8, 20, seed=2)
    assert not same(one.batch(0, 0), one.batch(1, 0))
    assert not same(one.batch(0, 0), other.batch(0, 0))
    assert not one.batch(0, 1).carries


def test_streams_go_on_where_the_chunk_before_ended(tmp_path: Path) -> None:
    dataset = text_dataset(tmp_path, 5000)
    batches = Batches(dataset, "train", 8, 37, carry=True)
    all_of_them = list(batches)
    assert [batch.carries for batch in all_of_them] == [False] + [True] * (len(batches) - 1)
    for row in range(8):
        pieces = [batch.fields["text"][row, : int(batch.lengths["time"][row])] for batch in all_of_them]
        stream = torch.cat(pieces).numpy()
        first = int(batches.cut(0, 0).start[row])
        assert np.array_equal(stream, dataset.tracks["text"].values[first : first + len(stream)])


def test_overlapping_windows_cover_a_single_series_to_its_end(tmp_path: Path) -> None:
    dataset = series_dataset(tmp_path, [100], group="", window=12)
    batches = Batches(dataset, "train", 8, 100)
    rows = Counter(row for batch in batches for row in counted_rows(dataset, batch))
    assert set(rows) == set(range(1, 60))
    assert max(rows.values()) == 12
    assert batches.batch(0, 0).fields["inputs"].shape[1] == 12
    strided = Batches(dataset, "train", 8, 100, stride=5)
    assert {row for batch in strided for row in counted_rows(dataset, batch)} == set(range(1, 60))
    assert len(strided) < len(batches)


def test_an_evaluation_reads_context_that_the_loss_leaves_out(tmp_path: Path) -> None:
    dataset = series_dataset(tmp_path, [100], group="", window=12)
    batch = Batches(dataset, "validation", 8, 12).batch(0, 0)
    assert batch.skip == 6
    assert counted_rows(dataset, batch) == list(range(60, 80))
    carried = Batches(dataset, "validation", 1, 12, carry=True)
    assert [piece.skip for piece in carried] == [12, 0]
    assert carried.batch(0, 0).fields["inputs"].shape == (1, 24, 1)
    assert Batches(dataset, "validation", 8, 12, context=0).batch(0, 0).skip == 0


def test_a_small_validation_part_shrinks_the_batch_and_not_the_count(tmp_path: Path) -> None:
    dataset = text_dataset(tmp_path, 400)
    for carry in (True, False):
        batches = Batches(dataset, "validation", 32, 100, carry=carry)
        assert sum(batch.tokens for batch in batches) == 80


def test_one_value_per_sequence_has_no_time(tmp_path: Path) -> None:
    content = "a,b,c,y\n" + "".join(f"{n},{n},{n if n % 2 else ''},{n}\n" for n in range(40))
    (tmp_path / "t.csv").write_text(content)
    dataset = data.open(DataRecipe("csv", "t.csv", {"mode": "row_is_sequence", "targets": ["y"]}), tmp_path)
    batches = Batches(dataset, "train", 8, chunk=2)
    batch = batches.batch(0, 0)
    assert batch.fields["targets"].shape == (8, 1)
    assert batch.fields["inputs"].shape[0] == 8
    assert batch.tokens == 8
    assert sum(batch.tokens for batch in batches) == batches.tokens == len(dataset.split("train"))
    value = dataset.unscale("inputs", batch.fields["inputs"][:, 0].numpy())
    assert np.allclose(value, dataset.unscale("targets", batch.fields["targets"].numpy()), atol=1e-4)


def test_what_cannot_be_batched_is_refused_with_its_numbers(tmp_path: Path) -> None:
    dataset = text_dataset(tmp_path, 100, (0.8, 0.2, 0.0))
    with pytest.raises(
        StudioError, match=r"predicts 79 steps, fewer than one chunk of 100 \(a\.txt, 100 steps in all\)"
    ):
        Batches(dataset, "train", 32, 100)
    with pytest.raises(StudioError, match="the test part is empty"):
        Batches(dataset, "test")
    with pytest.raises(StudioError, match="batch_size 0"):
        Batches(dataset, "train", 0)
    with pytest.raises(StudioError, match="no data part 'valid'"):
        Batches(dataset, "valid")  # type: ignore[arg-type]
    with pytest.raises(IndexError):
        Batches(dataset, "train", 4, 10).batch(0, 99)


@given(
    lengths=st.lists(st.integers(2, 60), min_size=25, max_size=40),
    batch_size=st.integers(1, 9),
    chunk=st.sampled_from([0, 7, 30]),
)
@settings(max_examples=40, deadline=None)
def test_the_padding_that_is_told_is_that_of_the_batches(tmp_path_factory, lengths, batch_size, chunk) -> None:
    dataset = series_dataset(tmp_path_factory.mktemp("padding"), lengths)
    batches = Batches(dataset, "train", batch_size, chunk, stride=chunk)
    sizes = [batch.lengths["time"] for batch in batches]
    held = sum(int(own.max()) * len(own) for own in sizes)
    lost = held - sum(int(own.sum()) for own in sizes)
    assert batches.padding == ({"time": lost / held} if lost else {})
    expected = expected_padding(dataset, batch_size, chunk)
    if lost and chunk == 0:  # windows of another stride are other windows
        assert expected["time"][0] == lost / held


def test_like_lengths_go_together_and_the_words_say_what_that_saves(tmp_path: Path) -> None:
    pick = np.random.default_rng(1)
    dataset = series_dataset(tmp_path, pick.integers(2, 60, 400).tolist())
    like, any_of = expected_padding(dataset, 8, 0)["time"]
    assert like < 0.1 < any_of
    told = padding_in_words({"time": (like, any_of)}, 8)
    assert told == f"padding in batches of 8: {like:.1%} along time, {any_of:.1%} if lengths were mixed"
    assert padding_in_words({}, 8) == ""


def test_one_long_text_is_not_padded(tmp_path: Path) -> None:
    dataset = text_dataset(tmp_path, 5000)
    assert expected_padding(dataset, 8, 100) == {}
    assert Batches(dataset, "train", 8, 100, carry=True).padding == {}
