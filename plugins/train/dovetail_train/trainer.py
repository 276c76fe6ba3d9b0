"""Trainer: a loop over the data that one can read, stop, continue and listen to."""

from __future__ import annotations

import itertools
import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import dovetail as dv
from dovetail.errors import TypeMismatch, ValueRangeError, WorkerError

from ._batches import described, length, moved, size
from ._checks import check_choices, check_counts, check_parts, check_seed
from ._listeners import Listeners
from ._signals import AGAIN, CAUGHT, Signals
from ._state import Checkpoints, Position, ReadOnly, seed_all
from .checkpoint import give_back, rng_state, set_rng
from .evaluation import Evaluation, watched
from .ranks import Ranks
from .state import State

__all__ = ["Trainer"]

_AMP = {"bfloat16": dv.bfloat16, "float16": dv.float16}


class Interrupted(Exception):
    """A signal came while the model was being evaluated."""


class Trainer:
    """Train ``model`` with batches ``(input, target)`` of ``train``, and evaluate it with those of ``valid`` after each epoch.

    ``loss(model(input), target)`` is minimised; with None as ``loss``, batches are dicts, and ``model(**batch).loss`` is, as of Hugging
    Face's models; override `compute` for batches of another form. ``scheduler`` steps after each epoch or,
    with ``schedule_every="step"``, after each step; ``ReduceLROnPlateau`` is given the result named ``monitor``. ``metrics`` are functions
    of all outputs and targets of ``valid``, or objects with ``reset()``, ``update(output, target)`` and ``compute()``. ``accumulate``
    batches make a step, ``clip_grad_norm`` bounds the norm of its gradient, ``amp`` is ``"bfloat16"`` or ``"float16"``.

    With ``checkpoints``, a folder, the training is saved there after each epoch, and every ``save_every`` steps: the last ``keep``, and the
    best by ``monitor`` (``mode`` "min" or "max"). `fit` continues from them bit for bit. SIGTERM then lets the step end and saves, and the
    program ends with exit code 75; so does Ctrl-C, with a KeyboardInterrupt; the second signal ends it at once.

    ``callbacks`` are objects with some of the methods ``fit_start(state)``, ``step_end(state)``, ``epoch_end(state)``, ``fit_end(state)``
    and ``checkpoint_saved(path, state)``; one with ``state_dict`` and ``load_state_dict`` is saved too. Plugins implement hooks of these
    names; one that fails is left out, with ``strict=True`` it ends the training. ``ranks`` are the processes that train together, each with
    its share of every batch: `dovetail train` under `dovetail launch`; the first of them alone writes, and tells plugins.

    >>> import dovetail as dv
    >>> _ = dv.manual_seed(0)
    >>> x = dv.randn(64, 3)
    >>> data = dv.utils.data.TensorDataset(x, x.sum(1, keepdim=True))
    >>> model = dv.nn.Linear(3, 1)
    >>> optimizer = dv.optim.SGD(model.parameters(), lr=0.1)
    >>> trainer = Trainer(model, dv.nn.MSELoss(), optimizer, dv.utils.data.DataLoader(data, batch_size=8), epochs=5)
    >>> state = trainer.fit()
    >>> state.step, state.metrics["train_loss"] < 0.01
    (40, True)
    """

    def __init__(
        self, model: Any, loss: Callable[..., Any] | None, optimizer: Any, train: Iterable[Any], valid: Iterable[Any] | None = None, *,
        scheduler: Any = None, schedule_every: str = "epoch", epochs: int = 1, device: Any = None, seed: int | None = None,
        metrics: Mapping[str, Any] | None = None, monitor: str = "", mode: str = "min", clip_grad_norm: float | None = None,
        accumulate: int = 1, amp: str | None = None, callbacks: Iterable[Any] = (), checkpoints: str | os.PathLike[str] | None = None,
        save_every: int | None = None, keep: int = 3, strict: bool = False, ranks: Ranks | None = None,
    ) -> None:  # fmt: skip
        check_choices(schedule_every=(schedule_every, ("step", "epoch")), amp=(amp, (None, *_AMP)), mode=(mode, ("min", "max")))
        check_counts(epochs=epochs, accumulate=accumulate, save_every=save_every, keep=keep)
        check_parts(model, loss, optimizer, scheduler, train, valid, metrics)
        check_seed(seed)
        self.device = dv.device(device) if device is not None else None
        self.model, self.loss, self.train, self.valid = model if self.device is None else model.to(self.device), loss, train, valid
        self.schedule_every, self.seed, self.clip_grad_norm = schedule_every, seed, clip_grad_norm
        self.accumulate, self.save_every = accumulate, save_every
        self.monitor = monitor or ("train_loss" if valid is None else "valid_loss")
        self.ranks = ranks or Ranks()
        folder = ReadOnly if self.ranks.rank else Checkpoints
        self.checkpoints = None if checkpoints is None else folder(checkpoints, keep, self.monitor, mode)
        self.metrics = dict(metrics or {})
        batches = length(train)
        self.state = State(model, optimizer, scheduler, epochs, steps_per_epoch=batches and -(-batches // accumulate))
        self.listeners = Listeners(callbacks, strict)
        place = "cpu" if self.device is None else self.device.type
        self.scaler = dv.amp.GradScaler(place, enabled=amp == "float16")
        self._autocast = (lambda: dv.autocast(place, dtype=_AMP[amp])) if amp else nullcontext
        self._position, self._signals, self._saved_at = Position(), Signals(False), -1
        self._told = self.ranks.rank > 0  # that the loss is not finite
        self._learner = self.model  # what learns: among several processes, the model behind what averages its gradients

    # ---------------------------------------------------------------------------------------------- what one calls

    def fit(self, resume: str | os.PathLike[str] | None = None) -> State:
        """Train to the last epoch and return the `State`. ``resume`` is a checkpoint, or ``"auto"`` for the newest where there is one.

        Raises what model, loss and callbacks raise; a FormatError for a damaged checkpoint; SystemExit(75) or KeyboardInterrupt once a
        signal came and the training was saved.
        """
        state = self.state
        if state.ended == "" and state.step == 0 and self.seed is not None:
            seed_all(self.seed)
        state.stop, state.ended = False, ""
        if path := self._to_resume(resume):
            self.load(path)
        self._learner = self.ranks.module(self.model)
        self.listeners.find(self.ranks.rank == 0)
        with Signals(self.checkpoints is not None) as self._signals:
            try:
                self.listeners.tell("fit_start", state=state)
                while state.epoch < state.epochs and not self._over():
                    self._epoch()
                state.ended = self._signals.caught or ("stopped" if state.stop else "done")
                if state.ended != "done":
                    self._save()
                self._tell_saved(wait=True)
            except BaseException as error:
                state.ended = "error"
                self._settle(error)
                raise
            finally:
                self._signals = Signals(False)
                self.listeners.tell("fit_end", state=state)
        if state.ended == "SIGINT":
            raise KeyboardInterrupt
        if state.ended == "SIGTERM":
            raise SystemExit(AGAIN)
        return state

    def evaluate(self, batches: Iterable[Any] | None = None) -> dict[str, Any]:
        """Evaluate the model, by default with ``valid``: its mean loss and its metrics."""
        batches = self.valid if batches is None else batches
        if batches is None:
            raise ValueRangeError("Trainer.evaluate", "there are no batches", "expected some, here or as valid of the trainer")
        if hasattr(batches, "set_epoch"):
            batches.set_epoch(self.state.epoch)
        found = Evaluation(self.metrics)
        was = self.model.training
        self.model.eval()
        try:
            with dv.no_grad():
                for batch in batches:
                    if self._signals.caught and not self.ranks.launched:  # several processes end together, behind the epoch
                        raise Interrupted
                    batch = moved(batch, self.device)
                    with self._autocast():
                        loss, output, target = self.compute(batch)
                    found.add(float(loss), size(batch), output, target)
        finally:
            self.model.train(was)
        return found.results()

    def compute(self, batch: Any) -> tuple[Any, Any, Any]:
        """The loss of a batch, and the output and target that metrics are given. Override it for batches of another form."""
        if self.loss is None and isinstance(batch, Mapping):  # Hugging Face's models know their loss
            output = self._called(**batch)
            return output.loss, output.logits, batch.get("labels")
        if not isinstance(batch, list | tuple) or len(batch) != 2 or self.loss is None:
            what = f"a batch is {described(batch)}" if self.loss is not None else "loss is None"
            expected = "expected a batch (input, target), and a loss of the model's output and the target"
            raise TypeMismatch("Trainer", what, expected, "override Trainer.compute(batch) to return loss, output and target")
        input, target = batch
        output = self._called(input)
        return self.loss(output, target), output, target

    def _called(self, *inputs: Any, **named: Any) -> Any:
        return (self._learner if dv.is_grad_enabled() else self.model)(*inputs, **named)

    def try_batch(self) -> float:
        """The loss of the first batch, without a step."""
        with dv.no_grad(), self._autocast():
            for batch in self.train:
                return float(self.compute(moved(batch, self.device))[0])
        raise ValueRangeError("Trainer", "there are no batches to learn from", "expected at least one")

    # ------------------------------------------------------------------------------------------------- the loop

    def _over(self) -> bool:
        """Whether to stop here: what one process was asked for, all of them do."""
        stop, caught = self.ranks.most(int(self.state.stop), CAUGHT.index(self._signals.caught))
        self.state.stop, self._signals.caught = bool(stop), CAUGHT[caught]
        return bool(stop or caught)

    def _epoch(self) -> None:
        """One pass over the data and what follows it; or a part of it, until somebody asks to stop."""
        state = self.state
        if not state.epoch_over:
            self.model.train()
            batches = self._position.begin(self.train, state.epoch, state.batch)
            try:
                while not state.epoch_over and self._step(batches):
                    self._after_step()
                    if self._over():
                        return
            except WorkerError:
                if self._signals.caught and self.accumulate == 1:
                    return  # a signal to all processes ended the workers before this one took notice
                raise
            if not state.batch:
                raise ValueRangeError("Trainer.fit", "there are no batches to learn from", "expected at least one", "is the dataset empty?")
            state.epoch_over = True
        try:
            self._end_epoch()
        except Interrupted:
            pass

    def _step(self, batches: Iterator[Any]) -> bool:
        """One step of the optimizer, on the next ``accumulate`` batches; False when there are none left."""
        state, optimizer, sums, samples, count = self.state, self.state.optimizer, 0.0, 0, 0
        optimizer.zero_grad()
        for batch in itertools.islice(batches, self.accumulate):
            batch = moved(batch, self.device)
            with self._autocast():
                loss, _, _ = self.compute(batch)
            self.scaler.scale(loss if self.accumulate == 1 else loss / self.accumulate).backward()
            many = size(batch)
            sums, samples, count = sums + float(loss.detach()) * many, samples + many, count + 1
        if not count:
            return False
        self._update(count)
        sums, all_samples = self.ranks.total(sums, samples)
        samples = int(all_samples)
        state.epoch_over = count < self.accumulate
        state.train_loss = sums / samples if samples else math.nan
        if not math.isfinite(state.train_loss) and not self._told:
            self._told = True
            what = f"Trainer: the loss is {state.train_loss} in step {state.step + 1}, epoch {state.epoch + 1}"
            warnings.warn(f"{what}; dovetail.train.nonfinite_check() names the op that made it", RuntimeWarning, stacklevel=2)
        state.loss_sum, state.loss_samples = state.loss_sum + sums, state.loss_samples + samples
        state.step, state.batch, state.samples = state.step + 1, state.batch + count, state.samples + samples
        return True

    def _update(self, count: int) -> None:
        """Let the optimizer step on the gradients of ``count`` batches."""
        optimizer = self.state.optimizer
        if count < self.accumulate or self.clip_grad_norm is not None:
            self.scaler.unscale_(optimizer)
        if count < self.accumulate:  # the last, smaller group of an epoch
            for p in (p for p in self.model.parameters() if p.grad is not None):
                p.grad.mul_(self.accumulate / count)
        if self.clip_grad_norm is not None:
            dv.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_grad_norm)
        self.scaler.step(optimizer)
        self.scaler.update()
        if self.state.scheduler is not None and self.schedule_every == "step":
            self.state.scheduler.step()

    def _after_step(self) -> None:
        self.listeners.tell("step_end", state=self.state)
        if self.save_every and self.state.step % self.save_every == 0:
            self._save()
        self._tell_saved()

    def _end_epoch(self) -> None:
        state, rng = self.state, rng_state()
        results: dict[str, Any] = {"train_loss": state.loss_sum / state.loss_samples if state.loss_samples else math.nan, "lr": state.lr}
        if self.valid is not None:
            try:
                results |= {f"valid_{name}": value for name, value in self.evaluate().items()}
            except (Interrupted, WorkerError):
                if not self._signals.caught:
                    raise
                set_rng(rng)  # as if the evaluation had not begun
                raise Interrupted from None
        results = self.ranks.first_of(results)
        self._schedule(results)
        state.metrics = results
        state.history.append({"epoch": state.epoch + 1, "step": state.step, **results})
        state.epoch, state.batch, state.loss_sum, state.loss_samples, state.epoch_over = state.epoch + 1, 0, 0.0, 0, False
        self.listeners.tell("epoch_end", state=state)
        self._save(results)
        self._tell_saved()

    def _schedule(self, results: dict[str, Any]) -> None:
        scheduler = self.state.scheduler
        if scheduler is None or self.schedule_every == "step":
            return
        if not isinstance(scheduler, dv.optim.lr_scheduler.ReduceLROnPlateau):
            with warnings.catch_warnings():  # continued behind the last step of an epoch, the optimizer has made none in this process
                warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step")
                scheduler.step()
            return
        scheduler.step(watched(self.monitor, results))

    # ---------------------------------------------------------------------------------------------- checkpoints

    def state_dict(self) -> dict[str, Any]:
        """All that a training is continued from, as tensors and plain values."""
        state, positions = self.state, self.ranks.everyone(self._position.state_dict(self.train))
        return {
            "kind": "dovetail-train", "version": 1, "model": self.model.state_dict(), "optimizer": state.optimizer.state_dict(),
            "scheduler": None if state.scheduler is None else state.scheduler.state_dict(), "scaler": self.scaler.state_dict(),
            "position": positions[0], "state": state.state_dict(),
            "callbacks": {name: callback.state_dict() for name, callback in self.listeners.kept().items()},
            **({"positions": positions} if self.ranks.launched else {}),
        }  # fmt: skip

    def load_state_dict(self, value: dict[str, Any]) -> None:
        """Take up a training where `state_dict` was called; model, optimizer, scheduler and callbacks must be made as they were then."""
        state, callbacks = self.state, self.listeners.kept()
        if (value["scheduler"] is None) != (state.scheduler is None):
            what = f"the checkpoint has {'no' if value['scheduler'] is None else 'the state of a'} scheduler"
            here = f"here is {'none' if state.scheduler is None else 'one'}"
            raise ValueRangeError("Trainer.load_state_dict", what, here, "make the trainer as it was made when the training began")
        position = self._own_position(value)
        if missing := self.ranks.rank == 0 and sorted(value["callbacks"].keys() - callbacks.keys()):
            warnings.warn(f"Trainer: the checkpoint has the state of {', '.join(missing)}, which is not here", RuntimeWarning, stacklevel=3)
        self.model.load_state_dict(value["model"])
        give_back(state.optimizer, value["optimizer"])
        if state.scheduler is not None:
            state.scheduler.load_state_dict(value["scheduler"])
        self.scaler.load_state_dict(value["scaler"])
        state.load_state_dict(value["state"])
        for name in callbacks.keys() & value["callbacks"].keys():  # others begin anew
            callbacks[name].load_state_dict(value["callbacks"][name])
        self._position.load_state_dict(position, within=state.batch > 0 and not state.epoch_over)
        self._saved_at = state.step

    def _own_position(self, value: dict[str, Any]) -> dict[str, Any]:
        """This process's place in the data; of another number of processes, whose batches were the same, what is done is passed by."""
        within = value["state"]["batch"] > 0 and not value["state"]["epoch_over"]
        if within and ("positions" in value) != self.ranks.launched:
            what = "the checkpoint was saved within an epoch, " + ("under" if "positions" in value else "without") + " dovetail launch"
            raise ValueRangeError("Trainer.load_state_dict", what, "expected the same now", "a checkpoint between epochs serves both")
        positions = value.get("positions", [value["position"]])
        own: dict[str, Any] = positions[self.ranks.rank % len(positions)]
        return own if len(positions) == self.ranks.size else {**own, "loader": None}

    def load(self, path: str | os.PathLike[str]) -> None:
        """Take up the training of a checkpoint."""
        path = Path(path)
        self.load_state_dict((self.checkpoints or Checkpoints(path.parent)).load(path))
        if self.checkpoints is not None and path.parent.resolve() == self.checkpoints.folder.resolve():
            self.checkpoints.forget_after(path)

    def _to_resume(self, resume: str | os.PathLike[str] | None) -> Path | None:
        if resume != "auto":
            return None if resume is None else Path(resume)
        if self.checkpoints is None:
            raise ValueRangeError("Trainer.fit", 'resume is "auto" and there is no folder', "expected one as checkpoints of the trainer")
        return self.checkpoints.latest()

    def _save(self, results: dict[str, Any] | None = None) -> None:
        if self.checkpoints is None or (results is None and self._saved_at == self.state.step):
            return
        self.checkpoints.save(self.state.step, self.state_dict(), results)
        self._saved_at = self.state.step

    def _settle(self, error: BaseException) -> None:
        """Let a checkpoint that is being written come to be, whatever ended the training."""
        try:
            self._tell_saved(wait=True)
        except Exception as another:
            error.add_note(f"and a checkpoint could not be written: {another}")

    def _tell_saved(self, *, wait: bool = False) -> None:
        """Tell of checkpoints that are on disk by now."""
        for path in self.checkpoints.saved(wait=wait) if self.checkpoints is not None else ():
            self.listeners.tell("checkpoint_saved", path=str(path), state=self.state)
