"""The loop does what a loop written by hand does, and goes on bit for bit from wherever it was stopped."""

from __future__ import annotations

import json
import math

import pytest

import dovetail as dv
from dovetail import nn
from dovetail.errors import FormatError, TypeMismatch, UnsupportedError, ValueRangeError, WorkerError
from dovetail.utils.data import DataLoader, TensorDataset
from dovetail_train import EarlyStopping, MetricsFile, Trainer
from tests.support.figures import note

from .conftest import Net, Noisy, make, saved, weights


def test_it_is_the_loop_that_one_would_write():
    trainer = make()
    state = trainer.fit()
    dv.manual_seed(0)
    model = Net()
    optimizer = dv.optim.AdamW(model.parameters(), lr=0.01)
    scheduler = dv.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.5)
    train, valid = DataLoader(Noisy(), batch_size=8, shuffle=True), DataLoader(Noisy(20), batch_size=8)
    dv.manual_seed(0)
    history = []
    for _ in range(4):
        model.train()
        total = 0.0
        for x, y in train:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
        model.eval()
        with dv.no_grad():
            held_out = sum(nn.functional.mse_loss(model(x), y).item() * len(x) for x, y in valid) / 20
        history.append((total / 44, optimizer.param_groups[0]["lr"], held_out))
        scheduler.step()
    assert [(row["train_loss"], row["lr"], row["valid_loss"]) for row in state.history] == history
    assert weights(trainer)["layers.0.weight"] == model.state_dict()["layers.0.weight"].tolist()
    assert (state.step, state.epoch, state.samples, state.ended, state.steps_per_epoch) == (24, 4, 176, "done", 6)


class StopAt:
    """Ask to stop at a step, as any callback may."""

    def __init__(self, step):
        self.step = step

    def step_end(self, state):
        state.stop = state.step == self.step


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("accumulate", [1, 4])
def test_it_goes_on_bit_for_bit_from_any_step(tmp_path, accumulate, workers):
    options = {"accumulate": accumulate, "workers": workers, "checkpoints": tmp_path / "whole", "clip_grad_norm": 1.0}
    whole = make(**options)
    wanted = whole.fit().history
    right = 0
    for step in range(1, whole.state.step):
        folder = tmp_path / f"at-{step}"
        first = make(**{**options, "checkpoints": folder}, callbacks=[StopAt(step)])
        assert first.fit().ended == "stopped" and first.state.step == step
        second = make(seed=5, **{**options, "checkpoints": folder})
        history = second.fit("auto").history
        right += history == wanted and weights(second) == weights(whole)
    note("R7", f"Trainer, stopped at each step, accumulate {accumulate}, {workers} workers", f"{right}/{whole.state.step - 1}", "all")
    assert right == whole.state.step - 1


@pytest.mark.parametrize("worker", [False, True])
def test_a_signal_in_an_evaluation_leaves_no_trace_of_it(tmp_path, worker):
    whole = make(checkpoints=tmp_path / "whole")
    wanted = whole.fit().history
    first = make(checkpoints=tmp_path / "cut")
    evaluate = first.evaluate

    def disturbed():
        if first.state.epoch == 1:
            first._signals.caught = "SIGTERM"
            if worker:
                dv.rand(3)
                raise WorkerError("DataLoader", "a worker died of SIGTERM")
        return evaluate()

    first.evaluate = disturbed
    with pytest.raises(SystemExit) as ended:
        first.fit()
    assert ended.value.code == 75 and first.state.ended == "SIGTERM" and first.state.epoch_over and first.state.epoch == 1
    second = make(seed=5, checkpoints=tmp_path / "cut")
    assert second.fit("auto").history == wanted and weights(second) == weights(whole)
    assert second.evaluate()["loss"] > 0


def test_workers_that_a_signal_ended_first_do_not_fail_the_training(tmp_path):
    class Dying(list):
        def __iter__(self):
            yield from list.__iter__(self)
            if trainer.state.epoch == 1:
                trainer._signals.caught = "SIGTERM"
                raise WorkerError("DataLoader", "a worker died of SIGTERM")

    trainer = make(checkpoints=tmp_path, scheduler=None)
    trainer.train = Dying([(dv.ones(4, 4), dv.ones(4, 1))] * 3)
    with pytest.raises(SystemExit):
        trainer.fit()
    assert trainer.state.step == 6 and saved(tmp_path, 6).exists()
    trainer.accumulate = 2
    with pytest.raises(WorkerError):
        trainer.fit()


def test_accumulated_batches_make_the_step_of_a_large_one():
    x, y = dv.randn(20, 3), dv.randn(20, 1)
    found = []
    for size, accumulate in ((8, 1), (2, 4)):
        dv.manual_seed(0)
        model = nn.Linear(3, 1)
        optimizer = dv.optim.SGD(model.parameters(), lr=0.1)
        Trainer(model, nn.MSELoss(), optimizer, DataLoader(TensorDataset(x, y), size), epochs=3, accumulate=accumulate).fit()
        found.append(model.weight.detach())
    assert dv.allclose(*found, atol=1e-6)


def test_the_last_checkpoints_and_the_best_are_kept(tmp_path):
    trainer = make(checkpoints=tmp_path, keep=2, save_every=5, monitor="valid_loss")
    trainer.fit()
    best = trainer.checkpoints.best_path()
    assert {saved(tmp_path, 20), saved(tmp_path, 24), best} == set(tmp_path.iterdir())
    found = trainer.checkpoints.load(best)
    assert (
        found["metrics"]["valid_loss"] == min(row["valid_loss"] for row in trainer.state.history) == found["state"]["metrics"]["valid_loss"]
    )


def test_amp_and_a_plateau(tmp_path):
    dv.manual_seed(0)
    model = Net()
    optimizer = dv.optim.SGD(model.parameters(), lr=0.05)
    plateau = dv.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.5, threshold=10.0, threshold_mode="abs")
    loader = DataLoader(Noisy(), batch_size=8)
    trainer = Trainer(model, nn.MSELoss(), optimizer, loader, loader, scheduler=plateau, epochs=3, amp="bfloat16", device="cpu")
    assert [row["lr"] for row in trainer.fit().history] == [0.05, 0.05, 0.025] and math.isfinite(trainer.state.train_loss)


class Counting:
    """A metric that is an object."""

    def reset(self):
        self.count = 0

    def update(self, output, target):
        self.count += len(target)

    def compute(self):
        return self.count


def test_metrics_are_functions_of_all_answers_or_objects():
    worst = lambda output, target: (output - target).abs().max()
    trainer = make(metrics={"worst": worst, "seen": Counting()}, epochs=1)
    results = trainer.fit().metrics
    again = trainer.evaluate()
    assert results["valid_seen"] == again["seen"] == 20.0 and list(again) == ["loss", "worst", "seen"]
    assert trainer.model.training and trainer.evaluate([])["loss"] != trainer.evaluate([])["loss"]  # NaN for nothing


class Log:
    def __init__(self):
        self.calls = []

    def fit_start(self, state):
        self.calls.append(f"start {state.epoch}")

    def step_end(self, state):
        self.calls.append(f"step {state.step}")

    def epoch_end(self, state):
        self.calls.append(f"epoch {state.epoch}")

    def fit_end(self, state):
        self.calls.append(state.ended)

    def checkpoint_saved(self, path, state):
        self.calls.append(path.rpartition("/")[2])


def test_callbacks_are_told_in_order_and_of_errors_too(tmp_path):
    log = Log()
    make(callbacks=[log], epochs=1, checkpoints=tmp_path, save_every=4).fit()
    steps = [f"step {i}" for i in range(1, 7)]
    names = [saved(tmp_path, step).name for step in (4, 6)]  # told of when they are on disk: at this step, or a later one
    assert [call for call in log.calls if call not in names] == ["start 0", *steps, "epoch 1", "done"]
    assert [call for call in log.calls if call in names] == names and log.calls.index(names[0]) > log.calls.index("step 4")
    assert log.calls[-1] == "done"
    log, trainer = Log(), make(epochs=1)
    trainer.listeners.callbacks.append(log)
    trainer.loss = lambda output, target: 1 / 0
    with pytest.raises(ZeroDivisionError):
        trainer.fit()
    assert log.calls == ["start 0", "error"]


def test_what_does_not_fit_is_refused(tmp_path):
    with pytest.raises(ValueRangeError, match=r"Trainer: schedule_every is 'batch'; expected one of 'step', 'epoch'"):
        make(schedule_every="batch")
    with pytest.raises(ValueRangeError, match=r"Trainer: accumulate is 0; expected a whole number from 1 on"):
        make(accumulate=0)
    with pytest.raises(TypeMismatch, match=r"a callback is <function .*; expected an object with some of the methods fit_start"):
        make(callbacks=[lambda state: None])
    model = nn.Linear(1, 1)
    with pytest.raises(UnsupportedError, match=r"Trainer: LBFGS evaluates the loss .*; write the loop yourself"):
        Trainer(model, nn.MSELoss(), dv.optim.LBFGS(model.parameters()), [])
    trainer = Trainer(model, nn.MSELoss(), dv.optim.SGD(model.parameters(), lr=0.1), [dv.ones(2, 1)])
    with pytest.raises(TypeMismatch, match=r"Trainer: a batch is a Tensor; expected a batch \(input, target\).*override Trainer.compute"):
        trainer.fit()
    trainer.train = []
    with pytest.raises(
        ValueRangeError, match=r"Trainer.fit: there are no batches to learn from; expected at least one; is the dataset empty"
    ):
        trainer.fit()
    with pytest.raises(ValueRangeError, match=r'resume is "auto" and there is no folder'):
        trainer.fit("auto")
    with pytest.raises(ValueRangeError, match=r"Trainer.evaluate: there are no batches"):
        trainer.evaluate()
    dv.save({"w": dv.ones(1)}, tmp_path / "000001-step-1.dvt")
    with pytest.raises(FormatError, match=r"000001-step-1.dvt: is no checkpoint of a"):
        make(checkpoints=tmp_path).fit("auto")


LINEAR, DATA = nn.Linear(3, 2), TensorDataset(dv.randn(8, 3), dv.zeros(8, dtype=dv.int64))


@pytest.mark.parametrize(
    ("changed", "kind", "text"),
    [
        ({"loss": nn.CrossEntropyLoss}, TypeMismatch, r"loss is the class CrossEntropyLoss; expected an object: CrossEntropyLoss\(…\)"),
        ({"optimizer": dv.optim.SGD}, TypeMismatch, r"optimizer is the class SGD; expected an object"),
        ({"optimizer": dv.optim.SGD(nn.Linear(3, 2).parameters())}, ValueRangeError, r"none of the model's parameters; .* of this model"),
        ({"model": lambda x: x}, TypeMismatch, r"model is a function; expected a Module"),
        ({"loss": "mse"}, TypeMismatch, r"loss is a str; expected a function of output and target"),
        (
            {"train": DATA},
            TypeMismatch,
            r"train is a TensorDataset, which gives samples; expected batches; DataLoader\(train, batch_size=…\)",
        ),
        ({"metrics": [max]}, TypeMismatch, r"metrics is a list; expected a dict of names and functions"),
        (
            {"metrics": {"a": "vision/accuracy"}},
            TypeMismatch,
            r"metric 'a' is 'vision/accuracy'; .*; plugins.metrics.load\('vision/accuracy'\)",
        ),
        ({"callbacks": StopAt(1)}, TypeMismatch, r"callbacks is a StopAt; expected a list of callbacks"),
        ({"callbacks": [StopAt]}, TypeMismatch, r"a callback is <class .*StopAt'>; expected an object with some of the methods"),
        ({"seed": "a"}, TypeMismatch, r"seed is 'a'; expected a whole number"),
        ({"checkpoints": __file__}, ValueRangeError, r"test_trainer.py' is a file; expected a folder"),
    ],
)
def test_parts_of_another_kind_are_refused_at_once(changed, kind, text):
    parts = {"model": LINEAR, "loss": nn.CrossEntropyLoss(), "optimizer": dv.optim.SGD(LINEAR.parameters()), "train": DataLoader(DATA, 4)}
    Trainer(**parts)
    with pytest.raises(kind, match=text):
        Trainer(**{**parts, **changed})


def test_a_loss_that_is_not_a_number_is_told_once_and_never_the_best(tmp_path):
    trainer = make(checkpoints=tmp_path, epochs=3, callbacks=[EarlyStopping(patience=2), MetricsFile(tmp_path / "metrics.jsonl", 1)])
    trainer.loss = lambda output, target: (output - target).sum() * float("nan")
    with pytest.warns(
        RuntimeWarning, match=r"Trainer: the loss is nan in step 1, epoch 1; dovetail.train.nonfinite_check\(\) names"
    ) as told:
        state = trainer.fit()
    assert len(told) == 1 and state.ended == "stopped" and state.epoch == 2 and trainer.checkpoints.best_path() is None
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert rows[0]["train_loss"] == rows[-1]["valid_loss"] == "nan"


def test_what_cannot_be_watched_is_refused(tmp_path):
    with pytest.raises(ValueRangeError, match=r"monitor is 'valid_los', which is no result; expected one of train_loss, lr, valid_loss"):
        make(checkpoints=tmp_path, monitor="valid_los", epochs=1).fit()
    several = lambda output, target: output.mean(0)
    with pytest.raises(ValueRangeError, match=r"monitor is 'valid_several', which is a list of numbers; expected one of train_loss"):
        make(checkpoints=tmp_path, monitor="valid_several", metrics={"several": several}, epochs=1).fit()


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    make(checkpoints=tmp_path, epochs=1).fit()
    with pytest.raises(ValueRangeError, match="the checkpoint has the state of a scheduler; here is none; make the trainer as"):
        make(checkpoints=tmp_path, scheduler=None).fit("auto")
    trainer = make(checkpoints=tmp_path / "short", callbacks=[StopAt(5)])
    trainer.fit()
    again = make(checkpoints=tmp_path / "short")
    again.train = DataLoader(Noisy(16), batch_size=8)
    with pytest.raises(
        ValueRangeError, match=r"has 5 batches of this epoch behind it, the data now has 2|a pass with 5 batches given, this one has 2"
    ):
        again.fit("auto")


def test_callbacks_may_come_and_go_between_checkpoints(tmp_path):
    first = make(checkpoints=tmp_path, epochs=2, callbacks=[EarlyStopping(patience=3), EarlyStopping("train_loss", 4)])
    first.fit()
    kept = first.checkpoints.load(saved(tmp_path, 12))["callbacks"]
    assert list(kept) == ["EarlyStopping", "EarlyStopping#2"]
    stopping = EarlyStopping(patience=3)
    second = make(checkpoints=tmp_path, epochs=3, callbacks=[MetricsFile(tmp_path / "metrics.jsonl", 1), stopping])
    with pytest.warns(RuntimeWarning, match="the checkpoint has the state of EarlyStopping#2, which is not here"):
        second.fit("auto")
    assert stopping.best == min(row["valid_loss"] for row in second.state.history)
    assert (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").count('"kind": "step"') == 6


def test_batches_of_another_form():
    class Named(Trainer):
        def compute(self, batch):
            output = self.model(batch["x"])
            return nn.functional.mse_loss(output, batch["y"]), output, batch["y"]

    model = nn.Linear(2, 1)
    batches = [{"x": dv.randn(4, 2), "y": dv.randn(4, 1)} for _ in range(3)]
    trainer = Named(model, None, dv.optim.SGD(model.parameters(), lr=0.1), batches, batches, device="cpu")
    assert trainer.fit().samples == 12


def test_models_that_know_their_loss():
    dv.manual_seed(0)
    model = dv.models.create("text/gpt", vocab_size=11, block_size=8, n_layer=1, n_head=2, n_embd=8, dropout=0.0)
    words = dv.randint(0, 11, (16, 8))
    data = [{"input_ids": row, "labels": row} for row in words]
    loader = DataLoader(data, batch_size=4)
    trainer = Trainer(model, None, dv.optim.AdamW(model.parameters(), lr=0.01), loader, loader, epochs=4)
    losses = [row["valid_loss"] for row in trainer.fit().history]
    assert losses == sorted(losses, reverse=True) and losses[0] > losses[-1] and trainer.state.samples == 64
