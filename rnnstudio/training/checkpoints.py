"""Checkpoints: everything a run needs to go on bit for bit, in one file that is there whole or not at all.

The safetensors file holds the tensors and, in its header, the rest as JSON: one rename makes both true. The .json
beside it is a copy of that rest for people and for readers without torch.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ..design.storage import write_atomically
from .saved import BLANK, BODY, DIGEST, FORMAT, body_of, damaged, header_of


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A moment of a training.

    weights: parameter path → value, frozen ones too. optimiser: see optim.named_state; of format 1, parameters are
    numbers. carried: loop states for the next chunk, None when the next chunk starts afresh. body: place, best loss
    and so on, as plain JSON.
    """

    weights: dict[str, Tensor]
    optimiser: dict[str, Any]
    carried: dict[str, Tensor] | None
    random: dict[str, Tensor]
    body: dict[str, Any]


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write to a temporary name, sync, rename. Raises StudioError; an older checkpoint of that name then stands."""
    tensors: dict[str, Tensor] = {}
    for group in ("weights", "random", "carried"):
        for name, tensor in (getattr(checkpoint, group) or {}).items():
            tensors[f"{group}/{name}"] = tensor
    plain: dict[str, Any] = {}
    for parameter, values in checkpoint.optimiser["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"optimiser/{parameter}/{name}"] = value
            else:
                plain[f"{parameter}/{name}"] = value
    body = {
        **checkpoint.body,
        "format": FORMAT,
        "carried": checkpoint.carried is not None,
        "optimiser": {"groups": checkpoint.optimiser["param_groups"], "plain": plain},
    }
    text = json.dumps(body, indent=1, ensure_ascii=False)
    # Cloned, as the file format refuses tensors that share memory.
    content = safetensors.torch.save(
        {name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()},
        {BODY: text, DIGEST: BLANK},
    )
    write_atomically(path, _signed(content))
    write_atomically(path.with_suffix(".json"), text.encode("utf-8"))


def _signed(content: bytes) -> bytes:
    """The file with its digest in the place that was left for it."""
    place = content.index(f'"{DIGEST}":"{BLANK}"'.encode()) + len(DIGEST) + 4
    digest = hashlib.blake2b(content, digest_size=16).hexdigest().encode()
    return content[:place] + digest + content[place + len(digest) :]


def copy(source: Path, target: Path) -> None:
    """Make `target` the same checkpoint, as atomically as save. Bytes of its own: what spoils one spares the other."""
    for suffix in (".safetensors", ".json"):
        write_atomically(target.with_suffix(suffix), source.with_suffix(suffix).read_bytes())


def load(path: Path) -> Checkpoint:
    """Raises StudioError when the file is missing, damaged or of a newer version."""
    body = body_of(header_of(path), path)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        return _sorted_out(tensors, body)
    except KeyError as error:
        raise damaged(path, f"it lacks {error}") from error
    except (safetensors.SafetensorError, ValueError, TypeError, AttributeError, OSError, RuntimeError) as error:
        raise damaged(path, error) from error


def _sorted_out(tensors: Mapping[str, Tensor], body: dict[str, Any]) -> Checkpoint:
    """Tensors and description by what they are. Raises KeyError, TypeError, ValueError where they do not fit."""
    described, carried, number = body.pop("optimiser"), body.pop("carried"), int(body["format"])
    groups: dict[str, dict[str, Tensor]] = {"weights": {}, "random": {}, "carried": {}}
    state: dict[str | int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        group, _, rest = name.partition("/")
        if group == "optimiser":
            parameter, _, key = rest.rpartition("/")
            state.setdefault(_parameter(parameter, number), {})[key] = tensor
        elif group in groups:
            groups[group][rest] = tensor
        else:
            raise ValueError(f"“{name[:80]}” is nothing that it should hold")
    for name, value in described["plain"].items():
        parameter, _, key = name.rpartition("/")
        state.setdefault(_parameter(parameter, number), {})[key] = value
    for name, tensor in groups["weights"].items():
        if not tensor.is_floating_point():
            raise ValueError(f"the weight “{name[:80]}” is of {tensor.dtype}")
    for name in ("python", "numpy", "torch"):
        if name not in groups["random"]:
            raise ValueError(f"it lacks the random state “{name}”")
    for name, kind in (("place", dict), ("settings", dict), ("lowerings", dict)):
        if not isinstance(body.get(name, {}), kind):
            raise TypeError(f"“{name}” is {str(body[name])[:40]!r}")
    return Checkpoint(
        weights=groups["weights"],
        optimiser={"state": state, "param_groups": [_group(group) for group in described["groups"]]},
        carried=groups["carried"] if carried else None,
        random=groups["random"],
        body=body,
    )


def _parameter(name: str, number: int) -> str | int:
    return int(name) if number < 2 else name


def _group(values: dict[str, Any]) -> dict[str, Any]:
    """As torch wrote it: JSON made lists of pairs such as Adam's betas."""
    return {
        key: tuple(value) if isinstance(value, list) and key != "params" else value for key, value in values.items()
    }


def seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def random_state() -> dict[str, Tensor]:
    """The state of every random source that training may use: Python's, numpy's, torch's on CPU and on each GPU."""
    version, numbers, gauss = random.getstate()
    assert version == 3
    if gauss is not None:  # a spare normal number: as bits, so that it comes back exactly
        numbers = (*numbers, int(np.float64(gauss).view(np.int64)))
    found: Any = np.random.get_state(legacy=False)
    inner = found["state"]
    tail = [inner["pos"], found["has_gauss"], int(np.float64(found["gauss"]).view(np.int64))]
    state = {
        "python": torch.tensor(numbers, dtype=torch.int64),
        "numpy": torch.tensor([*inner["key"].tolist(), *tail], dtype=torch.int64),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        for device, tensor in enumerate(torch.cuda.get_rng_state_all()):
            state[f"cuda/{device}"] = tensor
    return state


def restore_random(state: Mapping[str, Tensor]) -> None:
    """Set every random source as random_state found it. GPUs that are not here are passed over."""
    numbers = state["python"].tolist()
    gauss = float(np.int64(numbers.pop()).view(np.float64)) if len(numbers) > 625 else None
    random.setstate((3, tuple(numbers), gauss))
    *keys, position, has_gauss, cached = state["numpy"].tolist()
    spare = float(np.int64(cached).view(np.float64))
    np.random.set_state(("MT19937", np.array(keys, np.uint32), position, has_gauss, spare))
    torch.set_rng_state(state["torch"])
    for name, tensor in state.items():
        if name.startswith("cuda/") and torch.cuda.is_available() and int(name[5:]) < torch.cuda.device_count():
            torch.cuda.set_rng_state(tensor, int(name[5:]))
