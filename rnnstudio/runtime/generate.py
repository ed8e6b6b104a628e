"""What a trained network generates: text, translations, forecasts. Greedy, sampled, or by beam search."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ..compiler.program import Loss, Program
from ..design.errors import StudioError
from .network import Fields, Lengths, Network
from .stepper import Stepper, plan


@dataclass(frozen=True, slots=True)
class Choice:
    """How the next token is chosen from its distribution.

    temperature: 0 takes the most likely token; else softmax(logits / temperature). top_k: only among the k most likely
    (0: all). top_p: only among the most likely that together reach probability p (Holtzman et al. 2020).
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf or self.top_k < 0 or not 0 < self.top_p <= 1:
            raise StudioError(
                f"temperature {self.temperature}, top_k {self.top_k}, top_p {self.top_p} do not fit",
                remedy="Use a temperature and top_k of 0 or more, and top_p above 0 and at most 1.",
            )

    def draw(self, logits: Tensor, generator: Generator | None) -> Tensor:
        """[batch] tokens from [batch, vocabulary] scores, on the CPU."""
        logits = logits.detach().cpu().double()
        if self.temperature == 0:
            return logits.argmax(-1)
        logits = logits / self.temperature
        if self.top_k and self.top_k < logits.shape[-1]:
            least = logits.topk(self.top_k, -1).values[:, -1:]
            logits = logits.masked_fill(logits < least, float("-inf"))
        if self.top_p < 1.0:
            ordered, order = logits.sort(-1, descending=True)
            probabilities = ordered.softmax(-1)
            beyond = probabilities.cumsum(-1) - probabilities >= self.top_p
            logits = logits.masked_fill(torch.zeros_like(beyond).scatter(-1, order, beyond), float("-inf"))
        return torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A generated sequence without its stop token. score: log probability; finished: it ended by the stop token."""

    tokens: tuple[int, ...]
    score: float
    finished: bool


def why_not(program: Program | Network) -> str:
    """Why a network cannot write tokens, or "" when it can."""
    program = program.program if isinstance(program, Network) else program
    try:
        found = plan(program)
    except StudioError as error:
        return str(error)
    return "" if hasattr(found.signal.content, "size") else "This network predicts numbers, not tokens."


def write(
    network: Network, prompt: Tensor, choice: Choice | None = None, generator: Generator | None = None
) -> Iterator[int]:
    """Tokens that follow `prompt`, [1, n] int64, without end. O(1) per token.

    What the network reads is what is written: its input (n ≥ 1), or what a Feedback gives back (an empty prompt: from
    the token that stands before the first). Raises StudioError when it reads anything else, or cannot run forward step
    by step.
    """
    choice = choice or Choice()
    stepper = Stepper(network)
    if not stepper.tokens:
        raise StudioError("This network predicts numbers, not tokens")
    if stepper.plan.others:
        named = ", ".join(f"“{item.field}”" for item in stepper.plan.others)
        raise StudioError(f"It needs more than a beginning: it reads {named} too", remedy="Let it answer instead.")
    if prompt.numel() == 0 and stepper.plan.fed is not None:
        raise StudioError("The prompt is empty", remedy="Give at least one token to begin with.")
    stepper.start()
    with torch.no_grad():
        logits = stepper.read(prompt) if prompt.numel() else stepper.step(None)
    while True:
        token = choice.draw(logits, generator)
        yield int(token)
        with torch.no_grad():
            logits = stepper.step(token)


def generate(
    network: Network, prompt: Tensor, length: int, temperature: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """`length` tokens that follow `prompt`, [1, n] int64, see `write`. Returns [length] int64 on the CPU."""
    tokens = write(network, prompt, Choice(temperature), generator)
    return torch.tensor([token for token, _ in zip(tokens, range(length), strict=False)], dtype=torch.int64)


def decode(
    network: Network,
    fields: Fields,
    lengths: Lengths | None = None,
    *,
    stop: int,
    longest: int,
    choice: Choice | None = None,
    generator: Generator | None = None,
) -> list[Hypothesis]:
    """A sequence for each example by a decoder, greedily (the default) or sampled.

    fields: what the encoder reads, batch first. stop: the token that ends a sequence; longest: steps at most.
    """
    choice = choice or Choice(0.0)
    stepper = Stepper(network)
    stepper.start(fields, lengths)
    batch = next(iter(fields.values())).shape[0]
    written: list[list[int]] = [[] for _ in range(batch)]
    scores = torch.zeros(batch, dtype=torch.float64)
    alive = torch.ones(batch, dtype=torch.bool)
    last: Tensor | None = None
    with torch.no_grad():
        for _ in range(longest):
            logits = stepper.step(last)
            last = choice.draw(logits, generator)
            log_p = logits.detach().cpu().double().log_softmax(-1).gather(-1, last[:, None])[:, 0]
            scores += torch.where(alive, log_p, 0.0)
            alive &= last != stop
            for row in torch.nonzero(alive)[:, 0].tolist():
                written[row].append(int(last[row]))
            if not bool(alive.any()):
                break
    return [Hypothesis(tuple(w), float(s), not a) for w, s, a in zip(written, scores, alive.tolist(), strict=True)]


def beam_search(
    network: Network,
    fields: Fields,
    lengths: Lengths | None = None,
    *,
    stop: int,
    longest: int,
    width: int = 4,
    length_penalty: float = 0.6,
) -> list[Hypothesis]:
    """The best sequences for ONE example (a batch of 1), the best first.

    Hypotheses are compared by score / ((5 + length) / 6)^penalty (Wu et al. 2016, equation 14); 0 compares scores.
    """
    if width < 1:
        raise StudioError("A beam has at least one hypothesis", where="beam width")
    if next(iter(fields.values())).shape[0] != 1:
        raise StudioError("Beam search takes one example at a time", remedy="Give a batch of 1.")
    stepper = Stepper(network)
    stepper.start(fields, lengths)
    live: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    done: list[Hypothesis] = []
    last: Tensor | None = None

    def worth(tokens: tuple[int, ...], score: float) -> float:
        return score / float(((5 + max(len(tokens), 1)) / 6) ** length_penalty)

    with torch.no_grad():
        for _ in range(longest):
            log_p = stepper.step(last).detach().cpu().double().log_softmax(-1)
            total = log_p + torch.tensor([score for _, score in live], dtype=torch.float64)[:, None]
            best = total.flatten().topk(min(2 * width, total.numel()))
            rows: list[int] = []
            tokens: list[int] = []
            grown: list[tuple[tuple[int, ...], float]] = []
            for score, place in zip(best.values.tolist(), best.indices.tolist(), strict=True):
                row, token = divmod(place, total.shape[1])
                if token == stop:
                    done.append(Hypothesis(live[row][0], score, True))
                elif len(grown) < width:
                    grown.append(((*live[row][0], token), score))
                    rows.append(row)
                    tokens.append(token)
            live = grown
            done = sorted(done, key=lambda h: -worth(h.tokens, h.score))[:width]
            if not live or (len(done) == width and worth(done[-1].tokens, done[-1].score) >= worth(*live[0])):
                break
            stepper.select(torch.tensor(rows))
            last = torch.tensor(tokens)
    done += [Hypothesis(tokens, score, False) for tokens, score in live]
    return sorted(done, key=lambda h: (not h.finished, -worth(h.tokens, h.score)))[:width]


def meant(prediction: Tensor, loss: Loss) -> Tensor:
    """What a prediction says of its target: the probability, where the loss compares its logit."""
    return prediction.sigmoid() if loss.link == "sigmoid" else prediction


def forecast(network: Network, past: Tensor, steps: int, fields: Fields | None = None) -> Tensor:
    """What a forecaster says of the next `steps` steps, living on its own predictions. [batch, steps, width].

    past: [batch, n, width] of the fed input, or of what a Feedback gives back. Where the loss is one of probabilities,
    these are given and fed back. Raises StudioError when the prediction is fed back by neither.
    """
    stepper = Stepper(network)
    if stepper.tokens:
        raise StudioError("This network predicts tokens, not numbers")
    stepper.start(fields)
    found: list[Tensor] = []
    with torch.no_grad():
        last = stepper.read(past) if stepper.plan.fed is not None or past.shape[1] else stepper.step(None)
        for _ in range(steps):
            found.append(meant(last, stepper.plan.loss))
            if len(found) < steps:
                last = stepper.step(found[-1])
    return torch.stack(found, 1)
