"""How a design is trained: one checked record, saved in the design and in every run. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..design.design import Design
from ..design.errors import StudioError

MANY = 10**12
"""So many steps nobody takes."""


class TrainingSettings(BaseModel):
    """Every setting with its unit and default. `title` and `description` are what the settings form shows."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    epochs: int = Field(10, ge=1, le=MANY, title="Epochs", description="passes over the training split")
    steps: int = Field(
        0, ge=0, le=MANY, title="Steps", description="optimiser steps in all; 0: as many as the epochs have"
    )
    batch_size: int = Field(
        32, ge=1, le=1_000_000, title="Batch size", description="examples (or streams of one text) in a step"
    )
    chunk: int = Field(
        100, ge=1, le=10_000_000, title="Chunk length", description="steps of an axis that back-propagation sees"
    )
    carry: bool = Field(True, title="Carry state", description="the state goes on from chunk to chunk of one long text")
    anew: float = Field(
        0.05,
        ge=0,
        le=1,
        title="Begin anew",
        description="chance that a carried state begins anew at a chunk: a model that never sees a beginning writes "
        "garbage after a short prompt",
    )
    optimiser: Literal["adam", "adamw", "sgd", "rmsprop", "adagrad", "ridge"] = Field(
        "adam",
        title="Optimiser",
        description="ridge: one pass solves the linear readout of an otherwise frozen network; weight decay is its λ",
    )
    learning_rate: float = Field(2e-3, gt=0, le=100, title="Learning rate")
    momentum: float = Field(0.9, ge=0, lt=1, title="Momentum", description="of SGD and RMSprop")
    weight_decay: float = Field(
        0.0, ge=0, title="Weight decay", description="λ; of ridge: in ‖H W − Y‖² + λ‖W‖², a sum over all steps"
    )
    washout: int = Field(
        0,
        ge=0,
        le=MANY,
        title="Washout",
        description="steps at each sequence's beginning that ridge does not learn from",
    )
    schedule: Literal["constant", "linear", "cosine", "step"] = Field(
        "constant", title="Schedule", description="how the learning rate falls over the run"
    )
    warmup: int = Field(
        0, ge=0, le=MANY, title="Warm-up", description="steps over which the learning rate rises from 0"
    )
    clip_norm: float = Field(
        1.0, ge=0, title="Clip gradients", description="largest norm of all gradients together; 0: never clip"
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, title="Seed")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", title="Device")
    precision: Literal["float32", "tf32", "mixed"] = Field(
        "float32",
        title="Precision",
        description="of products on a GPU: tf32 rounds their inputs to 10 bits, mixed to 7 (bfloat16); a CPU always "
        "uses float32",
    )
    experimental_gpu: bool = Field(
        False,
        title="Experimental on a GPU",
        description="Triton kernels and CUDA graphs, which no GPU has run yet: each is compared with plain torch first",
    )
    threads: int = Field(
        0, ge=0, le=4096, title="CPU threads", description="0: all but one while the window is open, else all"
    )
    patience: int = Field(
        0, ge=0, le=MANY, title="Patience", description="stop after so many validations without progress; 0: never"
    )
    validate_every: int = Field(0, ge=0, le=MANY, title="Validate every", description="steps; 0: once an epoch")
    checkpoint_every: int = Field(
        0, ge=0, le=MANY, title="Checkpoint every", description="steps; 0: at each validation, as time allows"
    )
    checkpoint_seconds: float = Field(
        30.0,
        ge=0,
        title="Checkpoint after",
        description="seconds at the latest: a training that is killed loses no more; 0: never by time. What they cost "
        "is told at the end, and earlier when it is much",
    )
    sample_every: int = Field(0, ge=0, le=MANY, title="Sample every", description="steps; 0: at each validation")
    sample_length: int = Field(300, ge=0, le=1_000_000, title="Sample length", description="tokens; 0: no samples")
    sample_prompt: str = Field("", title="Prompt", description="what samples begin with")
    temperature: float = Field(0.8, ge=0, title="Temperature", description="0: always the most likely token")
    probe_seconds: float = Field(
        1.0, ge=0, title="Probe every", description="seconds between looks inside (at most 5 % of the time); 0: never"
    )


def idle_settings(settings: TrainingSettings) -> frozenset[str]:
    """Settings that change nothing beside these values: the form does not ask for them."""
    ridge = settings.optimiser == "ridge"
    idle = {
        "momentum": settings.optimiser not in ("sgd", "rmsprop"),
        "washout": not ridge,
        "anew": not settings.carry,
        "sample_every": settings.sample_length == 0,
        "sample_prompt": settings.sample_length == 0,
        "temperature": settings.sample_length == 0,
        **dict.fromkeys(("learning_rate", "schedule", "warmup", "clip_norm"), ridge),
    }
    return frozenset(name for name, unused in idle.items() if unused)


def along_axes(settings: TrainingSettings, design: Design, axes: Mapping[str, str]) -> TrainingSettings:
    """The settings with the chunk length and carried state that the design's axes ask for.

    axes: the drawing's axis → the data's axis (Program.axes); the data is cut along its main axis, the first of them.
    """
    for drawn in axes:
        axis = design.axis(drawn)
        if axis.kind == "sequence" and (axis.chunk or axis.carry is not None):
            chunk = axis.chunk or settings.chunk
            carry = settings.carry if axis.carry is None else axis.carry
            return settings.model_copy(update={"chunk": chunk, "carry": carry})
    return settings


def settings_from(values: Mapping[str, Any], **overrides: Any) -> TrainingSettings:
    """Settings from a design's plain values. Raises StudioError naming every setting that is wrong."""
    try:
        return TrainingSettings(**{**values, **overrides})
    except ValidationError as error:
        problems = []
        for item in error.errors():
            name = ".".join(str(part) for part in item["loc"])
            problems.append(f"{name}: {item['msg'][:1].lower()}{item['msg'][1:]}, not {repr(item.get('input'))[:80]}")
        raise StudioError(
            "These training settings do not fit: " + "; ".join(problems),
            where="training settings",
            remedy="Change them in the training panel or with --set name=value.",
        ) from None
