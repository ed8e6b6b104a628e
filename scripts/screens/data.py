"""The data panel on one small file of each kind, in resources/screens/data-KIND-THEME.png."""

from __future__ import annotations

import math
import tempfile
from functools import partial
from pathlib import Path

from rnnstudio.studio import theme
from rnnstudio.studio.panels.data import DataPanel
from rnnstudio.studio.session import Session

from .common import THEMES, application, save, wait_for

WIDTH, HEIGHT = 420, 720

_CONLLU = """1\tThe\tthe\tDET\t_\t_\t2\tdet\t_\t_
2\t{noun}\t{noun}\tNOUN\t_\t_\t3\tnsubj\t_\t_
3\t{verb}\t{verb}\tVERB\t_\t_\t0\troot\t_\t_
4\tquietly\tquietly\tADV\t_\t_\t3\tadvmod\t_\t_

"""
_NOUNS, _VERBS = ("cat", "dog", "river", "machine"), ("sleeps", "runs", "waits", "sings", "falls")
_ANIMALS = (("cat", "chat"), ("dog", "chien"), ("horse", "cheval"), ("wolf", "loup"), ("lion", "lion"))


def files(folder: Path) -> dict[str, Path]:
    """A file of each kind, by the kind's name."""
    days = [f"2024-03-{1 + n:02d}" for n in range(31)]
    sales = "".join(
        f"{shop},{day},{100 + 30 * place + 20 * math.sin(n / 2):.1f}\n"
        for place, shop in enumerate(("north", "south", "harbour"))
        for n, day in enumerate(days)
    )
    opinions = [
        (f"{opening} {subject} {judged}{end}", label)
        for end in (".", ", as I remember it.", ", and nobody was surprised.")
        for opening in ("I found", "We all thought", "She said that")
        for subject in ("the film", "this long book", "the second half", "every song")
        for judged, label in (("was lovely", "good"), ("was far too long", "bad"), ("made us laugh", "good"))
    ]
    words = [(n, v) for n in _NOUNS for v in _VERBS] * 4
    pairs = [
        (f"the {e} {v}{e_end}", f"le {f} {w}{f_end}")
        for e_end, f_end in ((".", "."), (" here.", " ici."), (" in the evening.", " le soir."), (" alone.", " seul."))
        for e, f in _ANIMALS
        for v, w in (("sleeps", "dort"), ("runs", "court"), ("waits", "attend"), ("sings", "chante"))
    ]
    content = {
        "text.txt": "The quick brown fox jumps over the lazy dog. It was not impressed at all.\n" * 40,
        "long-form.csv": "unique_id,ds,y\n" + sales,
        "labelled-text.csv": "text,label\n" + "".join(f'"{said}",{label}\n' for said, label in opinions),
        "conll-u.conllu": "".join(_CONLLU.format(noun=noun, verb=verb) for noun, verb in words),
        "pairs.tsv": "".join(f"{one}\t{other}\n" for one, other in pairs),
        "trees.txt": "".join(f"(3 (2 (2 the) (2 {noun})) (3 (2 {verb}) (4 well)))\n" for noun, verb in words),
    }
    found = {}
    for name, text in content.items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        found[path.stem] = path
    return found


def make() -> None:
    """Write all pictures."""
    application()
    with tempfile.TemporaryDirectory() as folder:
        found = files(Path(folder))
        for shown, look in THEMES.items():
            theme.apply(look)
            for kind, path in found.items():
                session = Session()
                session.base_folder = Path(folder)
                panel = DataPanel(session)
                panel.resize(WIDTH, HEIGHT)
                panel.show()
                looked: list[bool] = []
                panel.looked.connect(partial(looked.append, True))
                panel.open_file(path)
                wait_for(partial(bool, looked))
                print(save(panel, f"data-{kind}-{shown}"))
                panel.close()
                panel.deleteLater()
