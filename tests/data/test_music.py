"""Music: MIDI files and ABC tunes as a piano roll and as tokens."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from rnnstudio import data
from rnnstudio.data import readers
from rnnstudio.data.formats.abc_tune import notes_of_tune
from rnnstudio.data.formats.midi import Note, notes_of
from rnnstudio.data.formats.music import NAMES, piano_roll, tokens_of
from rnnstudio.design.errors import StudioError
from tests.data.sequence_files import midi


def opened(path: Path, **options: object) -> data.Dataset:
    recipe = data.guess_with(readers.find("music"), path, str(path))
    return data.open(data.choose(recipe, options))  # type: ignore[arg-type]


def test_the_keys_are_those_of_a_piano() -> None:
    assert (len(NAMES), NAMES[0], NAMES[39], NAMES[-1]) == (88, "A0", "C4", "C8")


def test_a_midi_file_is_a_roll_and_its_target_the_next_step(tmp_path: Path) -> None:
    dataset = opened(midi(tmp_path), steps=1)
    inputs, targets = dataset.tracks["inputs"], dataset.tracks["targets"]
    assert [[NAMES[key] for key in np.flatnonzero(row)] for row in inputs.values[:3]] == [
        ["C3", "G3"],
        ["F3", "C4"],
        ["G3", "D4"],
    ]
    assert targets.shift == 1
    assert dataset.rows == 4 * 24


def test_tokens_say_what_is_struck_and_released(tmp_path: Path) -> None:
    dataset = opened(midi(tmp_path, 8), steps=1, form="tokens")
    vocabulary = dataset.recipe.field("text").vocabulary
    written = [vocabulary[number] for number in dataset.tracks["text"].values[:9].tolist()]
    assert written == ["+C3", "+G3", ".", "-C3", "-G3", "+F3", "+C4", ".", "-F3"]


def test_tokens_of_a_roll_say_all_of_it() -> None:
    roll = piano_roll([Note(0, 2, 60), Note(1, 3, 64)], 1, "")
    assert roll.sum(0)[[39, 43]].tolist() == [2, 2]
    assert tokens_of(roll) == ["+C4", ".", "+E4", ".", "-C4", ".", "-E4"]


def test_drums_and_what_no_piano_has_are_left_out_and_named(tmp_path: Path) -> None:
    path = midi(tmp_path)
    drums = bytes((0, 0x99, 40, 64, 96, 0x89, 40, 0, 0, 0x90, 5, 64, 96, 0x80, 5, 0))
    events = path.read_bytes()[22:]
    changed = len(events) + len(drums)
    path.write_bytes(path.read_bytes()[:18] + changed.to_bytes(4, "big") + drums + events)
    told = [problem.what for problem in opened(path).problems]
    assert any("1 drums of channel 10" in what for what in told)
    assert any("1 notes that no piano has" in what for what in told)


@pytest.mark.skipif(importlib.util.find_spec("mido") is None, reason="mido, which writes the file, is not installed")
def test_what_mido_writes_is_read_as_it_was_meant(tmp_path: Path) -> None:
    import mido

    file = mido.MidiFile(type=1, ticks_per_beat=480)
    melody, bass = mido.MidiTrack(), mido.MidiTrack()
    file.tracks += [melody, bass]
    melody.append(mido.MetaMessage("set_tempo", tempo=400000))
    melody += [mido.Message("note_on", note=72, time=240), mido.Message("note_off", note=72, time=720)]
    bass += [mido.Message("program_change", program=3), mido.Message("note_on", note=36, velocity=9, time=0)]
    bass.append(mido.Message("note_on", note=36, velocity=0, time=1920))
    file.save(tmp_path / "two.mid")
    played = notes_of((tmp_path / "two.mid").read_bytes(), "two.mid")
    assert played.notes == (Note(0, 4, 36), Note(0.5, 2, 72))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"RIFF", "no MIDI file"),
        (b"MThd\0\0\0\6\0\0\0\1\0\x60", "no note"),
        (b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\x09\0\x90", r"cut off.*byte"),
        (b"MThd\0\0\0\6\0\0\0\1\xe7\x28", "frames of a film"),
        (b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\2\0\x11", "where an event should begin"),
        (b"MThd\0\0\0\6\0\0\0\1\0\1MTrk\0\0\0\x0b\0\x90\x40\x40\xff\xff\xff\x7f\x80\x40\0", r"268,435,455|steps, more"),
    ],
)
def test_a_damaged_midi_file_is_one_clear_error(data: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.mid"
    path.write_bytes(data)
    with pytest.raises(StudioError, match=told):
        opened(path)


@pytest.mark.parametrize(
    ("music", "notes"),
    [
        ("C c c' C,", [(0, 0.5, 60), (0.5, 1, 72), (1, 1.5, 84), (1.5, 2, 48)]),
        ("C2 D/ E3/2", [(0, 1, 60), (1, 1.25, 62), (1.25, 2, 64)]),
        ("^F F | F _B", [(0, 0.5, 66), (0.5, 1, 66), (1, 1.5, 65), (1.5, 2, 70)]),
        ("C>D E<F", [(0, 0.75, 60), (0.75, 1, 62), (1, 1.25, 64), (1.25, 2, 65)]),
        ("(3CDE F", [(0, 1 / 3, 60), (1 / 3, 2 / 3, 62), (2 / 3, 1, 64), (1, 1.5, 65)]),
        ("[CEG]2 z C", [(0, 1, 60), (0, 1, 64), (0, 1, 67), (1.5, 2, 60)]),
        ("C2- | C2 D", [(0, 2, 60), (2, 2.5, 62)]),
        ('"Am"C !trill!D {g}E', [(0, 0.5, 60), (0.5, 1, 62), (1, 1.5, 64)]),
    ],
)
def test_abc_is_played_as_the_standard_says(music: str, notes: list[tuple[float, float, int]]) -> None:
    found = notes_of_tune(["X:1", "L:1/8", "K:C", music])
    assert [(n.start, n.end, n.pitch) for n in found] == [pytest.approx(note) for note in notes]


@pytest.mark.parametrize(
    ("key", "pitches"),
    [("D", [66, 61, 71]), ("F", [65, 60, 70]), ("Em", [66, 60, 71]), ("Ador", [66, 60, 71]), ("Bb", [65, 60, 70])],
)
def test_a_key_raises_and_lowers_its_notes(key: str, pitches: list[int]) -> None:
    assert [note.pitch for note in notes_of_tune(["X:1", f"K:{key}", "F C B"])] == pitches


def test_each_tune_of_a_file_is_an_example_with_its_title_and_line(tmp_path: Path) -> None:
    path = tmp_path / "tunes.abc"
    path.write_text("".join(f"X:{n}\nT:Tune {n}\nL:1/4\nK:G\nG A B c | d4 |\n\n" for n in range(1, 25)))
    dataset = opened(path, steps=1)
    assert dataset.names[:2] == ("Tune 1", "Tune 2")
    assert dataset.lengths("time").tolist() == [8] * 24
    assert int(dataset.lines[8]) == 7


def test_a_folder_of_music_is_a_sequence_each(tmp_path: Path) -> None:
    folder = tmp_path / "pieces"
    folder.mkdir()
    for number in range(3):
        midi(folder, 8 + number).rename(folder / f"{number}.mid")
    (folder / "notes.pdf").write_bytes(b"%PDF")
    dataset = data.open(data.guess(folder))
    assert dataset.recipe.reader == "music"
    assert dataset.names == ("0", "1", "2")
    assert any("notes.pdf" in problem.what for problem in dataset.problems)
