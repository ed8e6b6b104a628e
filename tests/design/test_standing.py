"""A writer that does not know what stands in a file does not write it; links and permissions outlive a save."""

from __future__ import annotations

import os
import stat

import pytest

import rnnstudio
from rnnstudio.design import storage
from rnnstudio.design.design import Design
from rnnstudio.design.standing import NOTHING, ChangedElsewhere, standing


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "a.rnn"
    storage.save(Design("first"), file)
    return file


def test_another_content_is_not_written_over(path):
    seen = standing(path)
    storage.save(Design("theirs"), path)
    with pytest.raises(ChangedElsewhere, match="changed by another"):
        storage.save(Design("ours"), path, seen)
    assert storage.load(path).name == "theirs"


def test_a_deleted_file_is_not_made_again_and_a_new_one_not_replaced(path):
    seen = standing(path)
    path.unlink()
    with pytest.raises(ChangedElsewhere, match="deleted"):
        storage.save(Design("ours"), path, seen)
    assert not path.exists()
    storage.save(Design("theirs"), path)
    with pytest.raises(ChangedElsewhere):
        storage.save(Design("ours"), path, NOTHING)


def test_a_touch_or_an_equal_file_in_its_place_is_no_change(path):
    seen = standing(path)
    os.utime(path, (0, 0))
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)
    storage.save(Design("ours"), path, seen)
    assert storage.load(path).name == "ours"


def test_a_pipe_in_its_place_is_told_and_not_waited_for(path):
    seen = standing(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ChangedElsewhere):
        storage.save(Design("ours"), path, seen)


def test_a_symbolic_link_stays_one(path, tmp_path):
    link = tmp_path / "link.rnn"
    link.symlink_to("a.rnn")
    storage.save(Design("second"), link)
    assert link.is_symlink()
    assert storage.load(path).name == "second"


@pytest.mark.parametrize("doc", ["", "longer " * 100])
def test_hard_links_stay_one_file(path, tmp_path, doc):
    storage.save(Design("first", "some words " * 20), path)
    link = tmp_path / "link.rnn"
    os.link(path, link)
    storage.save(Design("second", doc), path)
    assert path.samefile(link)
    assert storage.load(link) == Design("second", doc)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.rnn", "link.rnn"], "no draft is left"


def test_permissions_stay(path):
    path.chmod(0o640)
    storage.save(Design("second"), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_python_does_not_overwrite_its_file_when_another_wrote_it(path, tmp_path):
    drawing = rnnstudio.load(path)
    drawing.variable("hidden", 3)
    storage.save(Design("theirs"), path)
    with pytest.raises(ChangedElsewhere, match=r"save\(overwrite=True\)"):
        drawing.save()
    drawing.save(tmp_path / "b.rnn")
    assert storage.load(path).name == "theirs"
    again = rnnstudio.load(path)
    storage.save(Design("theirs again"), path)
    again.variable("hidden", 4)
    again.save(overwrite=True)
    assert storage.load(path).variables == {"hidden": 4}
    again.save()
