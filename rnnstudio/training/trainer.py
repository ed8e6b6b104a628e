"""The trainer: a plain object whose events are the whole training. It knows no window, no thread and no process.

for event in Trainer(design, dataset, settings, folder).events():
    print(event)
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..catalog.catalog import Catalog, standard
from ..compiler import compile_design
from ..compiler.units import unscaled
from ..data.batches import Batches
from ..data.dataset import Dataset
from ..data.whereabouts import record_of
from ..design.design import Design
from ..design.errors import StudioError
from ..design.signals import Tokens
from ..runtime import Losses, Network
from . import events as ev
from .answering import Answerer, answerer_of
from .checkpoints import seed_everything
from .comparing import accuracies, baselines
from .diverged import Attempt, Diverged, RandomState, explain, growth, non_finite_weights, remedy
from .feeding import Feed
from .keeper import Keeper, Place
from .machine import choose_device, device_name, set_precision, set_threads, versions
from .optim import apply_settings, make_optimiser, norms
from .requests import LIVE_SETTINGS, Request, Requests
from .ridge import Ridge
from .runs import RunFolder
from .saved import damaged
from .settings import TrainingSettings, along_axes, settings_from
from .showing import Writer, forecast
from .timing import Budget, Stopwatch
from .validation import State, evaluation_batches, validate
from .warm_start import Transfer, WarmStart
from .warming import begin_with
from .watching import Watcher

SHARE_OF_SAMPLES = 0.05
"""Of the time, for what is written after validations. Samples wanted every N steps are written every N steps."""

EXAMPLES_ANSWERED = 3
"""Examples that an encoder–decoder is shown at once."""

STEPS_OF_A_CONTEST = 10
"""Steps after which it is settled what the loops run on."""


class Trainer:
    """Trains one design on one dataset into one run folder. Owner of network, optimiser and place while it lives.

    resume: go on from the folder's last checkpoint, bit for bit on the same machine with the same number of threads.
    window: leave one processor core to the window. base_folder, command: noted in run.json.
    warm: begin with another run's weights; the dataset has taken over from it what it is to.
    Raises StudioError when design, data, settings or folder do not fit.
    """

    def __init__(
        self,
        design: Design,
        dataset: Dataset,
        settings: TrainingSettings,
        run_folder: Path | str,
        catalog: Catalog | None = None,
        *,
        resume: bool = False,
        window: bool = False,
        base_folder: Path | str = ".",
        command: Sequence[str] = (),
        requests: Requests | None = None,
        warm: WarmStart | None = None,
    ) -> None:
        catalog = catalog or standard()
        dataset = dataset.as_in_file(unscaled(design.replace(data=dataset.recipe), catalog))
        program = compile_design(design.replace(data=dataset.recipe), catalog)
        self.settings = settings = along_axes(settings, design, program.axes)
        self.dataset = dataset
        self.design = design.replace(data=dataset.recipe, training=settings.model_dump())
        self.requests = requests or Requests()
        self.resumed = resume
        self.device = choose_device(settings.device)
        set_precision(settings.precision)
        self.threads = set_threads(settings.threads, window)
        seed_everything(settings.seed)
        self.network = Network(program, settings.seed).to(self.device)
        self.transfer: Transfer | None = None
        """What was taken of another run's weights."""
        if warm is not None:
            self.transfer = begin_with(self.network, warm, self.design, dataset, catalog)
        self.network.loops.experimental_gpu = settings.experimental_gpu
        self.trained = {path: w for path, w in self.network.weights.items() if isinstance(w, torch.nn.Parameter)}
        if not self.trained:
            raise StudioError("The design has no parameter to train", remedy="Add a layer with weights.")
        self.ridge = Ridge(self.network, settings) if settings.optimiser == "ridge" else None
        self.optimiser = self.ridge or make_optimiser(settings, self.trained.values())
        # Ridge regression reads every step once and in order; what it finds depends on no order but that of states.
        order: dict[str, Any] = {"context": 0, "shuffle": False} if self.ridge else {}
        self.batches = Batches(
            dataset, "train", settings.batch_size, settings.chunk, carry=settings.carry, seed=settings.seed, **order
        )
        self.feed = Feed(self.batches, self.device)
        self.validation: Batches | None = None
        if dataset.split("validation").steps:
            self.validation = evaluation_batches(dataset, "validation", settings, self.network.program)
        self.writer = Writer(self.network, dataset.recipe)
        self.answerer: Answerer | None = None
        if self.writer.why_not:
            self.answerer = answerer_of(self.design, catalog)
        self.watcher = Watcher(self.network, dataset.recipe, self.trained)
        self.sampling = Budget(SHARE_OF_SAMPLES)
        info = {
            "base_folder": str(Path(base_folder).resolve()),
            "command": list(command),
            "versions": versions(),
            "seed": settings.seed,
            "device": device_name(self.device),
            "threads": self.threads,
            "data_digest": dataset.recipe.digest,
            "data_files": record_of(dataset.recipe, Path(base_folder)),
            **({} if self.transfer is None else {"warm_start": self.transfer.to_json()}),
        }
        folder = Path(run_folder)
        self.run = RunFolder.reopen(folder, info) if resume else RunFolder.create(folder, self.design, settings, info)
        self.keeper = Keeper(self.run, self.network, self.optimiser, dataset.recipe.digest)
        self.place = Place()
        self.carried: State | None = None
        self.tell: Callable[[ev.Event], None] = lambda event: None
        """Hears at once what cannot wait until a step is done: machine code that is being made."""
        self.network.loops.on_compiling = self._compiling
        self._lowerings = self.network.lowerings()
        self._untold = STEPS_OF_A_CONTEST
        self._restored = ""
        """What must be told of the checkpoint that the run goes on from."""
        if resume:
            try:
                self.place, self.carried, self._restored = self.keeper.restore(settings, self.device)
                if self.place.index >= len(self.batches):
                    raise damaged(self.keeper.path("last"), "its place is behind the end of the data")
                self.run.write_settings(settings)
            except BaseException:
                self.run.hold.release()
                raise
        self.clock = Stopwatch(self.place.seconds)
        self._taken_up = self.place.seconds
        self._one_step = False
        """Whether to wait after the next step."""
        self._stepped = False
        self._rate = 0.0
        self._compared = False

    @property
    def steps_total(self) -> int:
        """As the settings say; one pass where the readout is solved: another would read the same again."""
        if self.ridge is not None:
            return len(self.batches)
        return self.settings.steps or self.settings.epochs * len(self.batches)

    def request(self, request: Request) -> None:
        """Ask for "pause", "resume", "stop", "step" or ("set", name, value). From any thread; taken between steps."""
        self.requests.put(request)

    def events(self) -> Iterator[ev.Event]:
        """The training. Each event is in the run's history before it is given out. Raises StudioError (disk full …)."""
        ended = False
        try:
            self.run.mark("running")
            history = self.keeper.open_history()
            try:
                for event in self._training():
                    history.record(event)
                    ended = isinstance(event, ev.Finished | ev.Failed)
                    yield event
            except Exception:
                history.abandon()  # it may be the disk of the history that is full: this error is the one to tell
                raise
            finally:
                history.close()
        except Exception as error:
            ended = True
            self.run.mark_failed(self.place.step, str(error))
            raise
        finally:
            try:
                if not ended:
                    self.run.mark("interrupted", step=self.place.step)
            finally:
                self.run.hold.release()

    def _training(self) -> Iterator[ev.Event]:
        self.clock.start()
        yield self._started()
        if self._restored:
            yield ev.Log(*self._now(), self._restored)
        if self.transfer is not None:
            yield ev.Log(*self._now(), self.transfer.lines()[0])
            if self.validation is not None:  # where it comes from, and what it must not fall behind
                yield from self._validate()
        if self.keeper.due(self.place, self.settings, validated=False):  # the beginning: what a resume needs at least
            yield from self._save()
        try:
            while True:
                yield from self._obey()
                if self.requests.stop_asked:
                    yield from self._finish("stopped")
                elif self._sample_is_due():
                    yield from self._sample()
                    continue
                elif self._validation_is_due():
                    yield from self._validate()
                    continue
                elif self.place.step >= self.steps_total:
                    yield from self._finish("done")
                elif 0 < self.settings.patience <= self.place.without_progress:
                    yield from self._finish("early")
                else:
                    yield from self._step()
                    continue
                return
        except Diverged as error:
            yield from self._fail(error)

    # --- one step

    def _step(self) -> Iterator[ev.Event]:
        """Learn from one batch, look at the numbers, say so."""
        start = time.perf_counter()
        batch, fields = self.feed.take(self.place.epoch, self.place.index)
        state = self._some_anew(self.carried) if batch.carries and self.carried else None
        watching = self._one_step or self._looked_at()
        rate = apply_settings(self.optimiser, self.settings, self.place.step, self.steps_total)
        self.network.progress = self.place.step
        learn = self._descend if self.ridge is None else self._solve
        losses, loss, norm, clipped = learn(fields, self.network.own_lengths(batch.lengths), state, watching=watching)
        self.carried = losses.state if self.batches.carries else None
        inside, changes = self.watcher.after_update() if watching else ({}, {})
        self._one_step, self._stepped = False, self._one_step
        epoch, seconds = self.place.epoch, time.perf_counter() - start
        self.place.advance(loss, losses.places, seconds, len(self.batches))
        speed = losses.places / seconds
        self._rate = 0.9 * self._rate + 0.1 * speed if self._rate else speed
        yield ev.StepDone(
            *self._now(),
            epoch=epoch + 1,
            loss=loss,
            learning_rate=rate,
            gradient_norm=norm,
            clipped=clipped,
            tokens=losses.places,
            tokens_per_second=self._rate,
            carried=state is not None,
        )
        yield from self._tell_lowerings()
        if self.place.grown < 0 and (told := growth(self.place.loss, *self.place.began, self.settings)):
            self.place.grown = self.place.step
            yield ev.LossGrew(*self._now(), told)
        if watching:
            yield ev.Probed(*self._now(), **inside)
            yield ev.ParameterNorms(*self._now(), **changes)
        if self.keeper.due(self.place, self.settings, validated=False):
            yield from self._save()

    def _looked_at(self) -> bool:
        """Whether the watcher takes this step: none shorter than others, and the last of these: it stays in sight."""
        left, index = self.steps_total - self.place.step - 1, self.place.index
        last = left < 1 or (left == 1 and not self.batches.whole((index + 1) % len(self.batches)))
        return self.batches.whole(index) and self.watcher.due(self.settings.probe_seconds, last=last)

    def _tell_lowerings(self) -> Iterator[ev.Event]:
        """Say what the loops run on once the first steps have timed it."""
        if not self._untold:
            return
        self._untold -= 1
        lines = self.network.lowerings()
        if lines != self._lowerings:
            self._lowerings, self._untold = lines, 0
            yield ev.LoopsChosen(*self._now(), lowerings=lines)

    def _some_anew(self, state: State) -> State:
        """The carried state, in which some of the streams begin anew. Chosen by seed and step alone.

        Not where a readout is solved: what follows a beginning would have to be washed out.
        """
        if not self.settings.anew or self.ridge is not None:
            return state
        generator = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + self.place.step)
        rows = torch.rand(self.settings.batch_size, generator=generator) < self.settings.anew
        return self.network.begin_anew(state, rows)

    def _descend(
        self, fields: State, lengths: Mapping[str, Tensor], state: State | None, *, watching: bool
    ) -> tuple[Losses, float, float, bool]:
        """Forward, backward, clip, update. Returns (losses, loss, norm of the gradients, whether they were clipped)."""
        mixed = self.settings.precision == "mixed" and self.device.type == "cuda"
        attempt = Attempt(fields, lengths, state, RandomState(self.device), mixed)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            watch = self.watcher.watch() if watching else None
            losses = self.network.losses(fields, lengths, state, keep_state=self.batches.carries, watch=watch)
        if not losses.total.requires_grad:
            raise StudioError("No trained parameter leads to the loss", remedy="Wire the loss to a layer with weights.")
        self.optimiser.zero_grad()
        losses.total.backward()  # type: ignore[no-untyped-call]
        self.feed.prepare(self.place.epoch, self.place.index)
        loss, norm = self._loss_and_norm(losses.total)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise explain(self.network, attempt, loss, self.place.step + 1, self.settings)
        clipped = 0 < self.settings.clip_norm < norm
        if watching:
            self.watcher.look(fields, lengths, state)
        if clipped:
            torch._foreach_mul_(self._gradients(), self.settings.clip_norm / norm)
        self.optimiser.step()
        if mixed:
            losses = dataclasses.replace(losses, state={name: x.float() for name, x in losses.state.items()})
        return losses, loss, norm, clipped

    def _solve(
        self, fields: State, lengths: Mapping[str, Tensor], state: State | None, *, watching: bool
    ) -> tuple[Losses, float, float, bool]:
        """Forward, and the readouts solved for all that was read so far, which the loss is of. No gradient."""
        assert self.ridge is not None
        ridge = self.ridge
        attempt = Attempt(fields, lengths, state, RandomState(self.device))
        with torch.no_grad():
            losses = self.network.losses(fields, lengths, state, keep_state=self.batches.carries, also=ridge.values)
        if not math.isfinite(float(losses.total)):
            raise explain(self.network, attempt, float(losses.total), self.place.step + 1, self.settings)
        if watching:
            self.watcher.look(fields, lengths, state)
        steps = max((int(own.max()) for own in lengths.values()), default=0)
        ridge.read(losses.values, lengths, steps=steps, carried=state is not None)
        loss = ridge.step()
        if loss is None and self.place.step + 1 >= self.steps_total:
            raise StudioError(
                f"The washout of {self.settings.washout} steps leaves nothing to learn from",
                remedy="Set a smaller washout, or a smaller batch size: its streams are longer.",
            )
        return losses, float(losses.total) if loss is None else loss, 0.0, False

    def _loss_and_norm(self, total: Tensor) -> tuple[float, float]:
        """Loss and norm of all gradients together; the one place of a step that waits for a GPU."""
        norm = torch.linalg.vector_norm(torch.stack(norms(self._gradients())))
        loss, length = torch.stack([total.detach().double(), norm.double()]).tolist()
        return loss, length

    def _gradients(self) -> list[Tensor]:
        return [w.grad for w in self.trained.values() if w.grad is not None]

    # --- between steps

    def _validation_is_due(self) -> bool:
        """Every N steps or after an epoch, and at the end. By the place alone, so that resuming changes nothing."""
        place, every = self.place, self.settings.validate_every
        if self.validation is None or place.step in (0, place.validated):
            return False
        return place.step >= self.steps_total or (place.step % every == 0 if every else place.index == 0)

    def _validate(self) -> Iterator[ev.Event]:
        assert self.validation is not None
        score = validate(self.network, self.validation, self.device, stop=lambda: self.requests.stop_asked)
        if score is None:
            return
        place = self.place
        if not math.isfinite(score.loss):
            wrong = non_finite_weights(self.network)
            what = f"the parameter {wrong[0]} is infinite or NaN" if wrong else "some value overflows"
            raise Diverged(
                f"The validation loss is {score.loss}: {what}",
                f"step {place.step}",
                remedy(self.settings),
            )
        best = place.best_loss is None or score.loss < place.best_loss
        place.validated, place.validation_loss = place.step, score.loss
        place.without_progress = 0 if best else place.without_progress + 1
        if best:
            place.best_loss, place.best_step = score.loss, place.step
        epoch = place.epoch + (1 if place.index else 0)
        yield ev.Validated(
            *self._now(),
            "validation",
            epoch,
            score.loss,
            score.perplexity,
            score.accuracy,
            best,
            score.label_error_rate,
        )
        yield from self._compare()
        drawn = forecast(score, self.dataset, self.validation.split.labels(0))
        if drawn is not None:
            yield ev.Forecast(*self._now(), **drawn)
        if not self.settings.sample_every and (self.sampling.due or place.step >= self.steps_total):
            yield from self._sample()
        if best:  # after all that comes of this moment: whoever goes on from it has that in the history
            place.seconds = self.clock.seconds
            self.keeper.improved(place, self.carried, self.settings)
        if self.keeper.due(place, self.settings, validated=True):
            yield from self._save()

    def _compare(self) -> Iterator[ev.Event]:
        """Say, once, what simple models reach on the validation part."""
        if self._compared:
            return
        self._compared = True
        try:
            program = self.network.program
            found = baselines(self.dataset, program), accuracies(self.dataset, program)
        except StudioError as error:
            yield ev.Log(*self._now(), str(error))
            return
        if any(found):
            yield ev.Baselines(*self._now(), *found)

    def _sample_is_due(self) -> bool:
        """Every N steps, where so many are set. By the place alone, as validations are."""
        place, every = self.place, self.settings.sample_every
        return bool(every) and place.step > 0 and place.sampled != place.step and place.step % every == 0

    def _sample(self) -> Iterator[ev.Event]:
        """Let the model write. What a stop cuts short is not kept: a resumed run writes it whole."""
        settings = self.settings
        if not settings.sample_length or self.writer.why_not:
            self.place.sampled = self.place.step
            if settings.sample_length:
                yield from self._answer()
            return
        with self.sampling.spending():
            seed = settings.seed * 1_000_003 + self.place.step
            stop = self.requests
            prompt = self.writer.known_part(settings.sample_prompt)
            text = self.writer.write(
                prompt, settings.sample_length, settings.temperature, seed, lambda: stop.stop_asked
            )
        if stop.stop_asked:
            return
        self.place.sampled = self.place.step
        event = ev.Sampled(*self._now(), prompt, text, settings.temperature)
        self.run.write_sample(event)
        yield event

    def _answer(self) -> Iterator[ev.Event]:
        """What an encoder–decoder makes of a few examples, by the most likely token of each step or its own numbers."""
        answerer = self.answerer
        if answerer is None:
            return
        with self.sampling.spending():
            batch = (self.validation or self.batches).batch(0, 0)
            drawn = answerer.sequences(self.network.weights, batch, EXAMPLES_ANSWERED) if answerer.numbers else None
            found = drawn.answers if drawn else answerer.answers(self.network.weights, batch, EXAMPLES_ANSWERED)
            answers = list(found)
        if drawn:
            yield ev.Answered(*self._now(), drawn.truth, drawn.prediction, drawn.columns)
        for answer in answers:
            event = ev.Sampled(*self._now(), answer.read, answer.text, 0.0, answer.truth, answerer.numbers)
            self.run.write_sample(event)
            yield event

    def _save(self) -> Iterator[ev.Event]:
        self.place.seconds = self.clock.seconds
        for path, best in self.keeper.save(self.place, self.carried, self.settings):
            yield ev.CheckpointSaved(*self._now(), str(path), best)
        told = self.keeper.dear(self.clock.seconds - self._taken_up, self.settings)
        if told:
            yield ev.Log(*self._now(), told)

    def _obey(self) -> Iterator[ev.Event]:
        """Take what was asked; after "pause" and "step" wait for more."""
        waiting, self._stepped = self._stepped, False
        if waiting:
            yield from self._pause()
        while (request := self.requests.take(wait=waiting)) is not None:
            if request == "stop":
                return
            if isinstance(request, tuple):
                yield from self._set(request[1], request[2])
            elif request == "pause" and not waiting:
                waiting = True
                yield from self._pause()
            elif request == "step":
                self._one_step = True
                self.clock.start()
                return
            elif request == "resume" and waiting:
                waiting = False
                self.run.mark("running")
                self.clock.start()
                yield ev.Resumed(*self._now())

    def _pause(self) -> Iterator[ev.Event]:
        self.clock.stop()
        self.run.mark("paused", step=self.place.step)
        yield ev.Paused(*self._now())

    def _set(self, name: str, value: float) -> Iterator[ev.Event]:
        """Change a setting from the next step on. What does not fit changes nothing and is said."""
        try:
            if name not in LIVE_SETTINGS:
                raise StudioError(f"{name} cannot be changed while the run is alive")
            whole = isinstance(getattr(self.settings, name), int)
            self.settings = settings_from(self.settings.model_dump(), **{name: int(value) if whole else float(value)})
        except StudioError as error:
            yield ev.Log(*self._now(), str(error))
            return
        self.run.write_settings(self.settings)
        yield ev.SettingChanged(*self._now(), name, float(value))

    # --- beginning and end

    def _compiling(self, loop: str, busy: bool) -> None:
        self.tell(ev.Compiling(*self._now(), loop if busy else ""))

    def _now(self) -> tuple[int, float]:
        return self.place.step, self.clock.seconds

    def _started(self) -> ev.Started:
        return ev.Started(
            *self._now(),
            run_folder=str(self.run.folder),
            device=str(self.device),
            threads=self.threads,
            steps_total=self.steps_total,
            steps_per_epoch=len(self.batches),
            parameters={path: w.numel() for path, w in self.trained.items()},
            lowerings=self._lowerings,
            resumed=self.resumed,
            unit=self._unit(),
        )

    def _unit(self) -> str:
        """What the first loss is a mean over."""
        program = self.network.program
        target = program.signals[program.losses[0].target] if program.losses else None
        if target is None or not target.axes:
            return "examples"
        return "tokens" if isinstance(target.content, Tokens) else f"{target.axes[0]} steps"

    def _finish(self, reason: str) -> Iterator[ev.Event]:
        self.clock.start()
        yield from self._save()
        place, seconds = self.place, self.clock.seconds
        speed = place.places / place.busy if place.busy else 0.0
        summary = {"steps": float(place.step), "seconds": seconds, "tokens": float(place.places)}
        summary |= {"checkpoints": float(self.keeper.count), "checkpoint_seconds": self.keeper.cost}
        if place.best_loss is not None:
            summary["best_step"] = float(place.best_step)
        self.run.mark("stopped" if reason == "stopped" else "finished", reason=reason, step=place.step)
        yield ev.Finished(*self._now(), reason, place.loss, place.validation_loss, place.best_loss, speed, summary)

    def _fail(self, error: Diverged) -> Iterator[ev.Event]:
        """Keep the last state whose numbers are all finite, and say what happened."""
        if not non_finite_weights(self.network):
            yield from self._save()
        self.run.mark("failed", step=self.place.step, why=error.what)
        yield ev.Failed(*self._now(), error.what, error.where, error.remedy)
