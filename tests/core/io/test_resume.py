"""Long runs that are killed: no checkpoint is lost or damaged, and training goes on bit for bit where it stopped."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import time
import traceback

import pytest

import dovetail as dv
from dovetail import nn
from dovetail.errors import FormatError
from dovetail.io.checkpoint import Checkpointer
from tests.support.figures import note

WRITER = """
import sys, dovetail as dv
from dovetail.io.checkpoint import Checkpointer
folder, mode, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
weights = [dv.zeros(size // 16) for _ in range(4)]
run, step = Checkpointer(folder, keep=2), 0
last = run.latest()
print("ready", flush=True)
while True:
    step += 1
    for w in weights: w.fill_(step)
    state = {"mark": step, "weights": weights}
    if mode == "overwrite":
        dv.save({"step": step, "state": state}, folder + "/run.dvt")
    else:
        run.save(state, step=step, wait=mode == "sync")
        if mode == "async": # what was announced is what the wait before saw
            run.wait() if step % 3 == 0 else None
            if step % 3: continue
    print(step, flush=True)
"""


def one_kill(folder, mode: str, size: int, draw: random.Random) -> int:
    """Kill a writer at a random moment; the number of leftovers. What it announced is there, whole, or something newer is."""
    command = [sys.executable, "-c", WRITER, str(folder), mode, str(size)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert writer.stdout.readline() == "ready\n" and writer.stdout.readline()
    time.sleep(draw.uniform(0, 0.02 + size / 2e8))
    writer.send_signal(signal.SIGKILL)
    done = int((["1", *writer.stdout.read().split()])[-1])
    writer.wait()
    files = [folder / "run.dvt"] if mode == "overwrite" else Checkpointer(folder).paths()
    newest = None
    for file in files:  # also the older ones
        newest = dv.load(file)
        assert all((w == newest["state"]["mark"]).all().item() for w in newest["state"]["weights"]), "a torn checkpoint"
    assert newest is not None and newest["step"] >= done, f"lost: {done} was saved, the newest is {newest and newest['step']}"
    left = [p for p in folder.iterdir() if p.name.endswith(".tmp")]
    if mode == "overwrite":
        dv.save({"step": 0}, folder / "run.dvt")
    else:
        with Checkpointer(folder, keep=1) as run:
            run.save({"mark": 0, "weights": []})
    assert not [p for p in folder.iterdir() if p.name.endswith(".tmp")], "leftovers stay"
    for file in folder.iterdir():
        file.unlink()
    return len(left)


CASES = [(mode, mb) for mb in (1, 4, 20) for mode in ("sync", "async", "overwrite")]
WHOLE = [(mode, mb) for mb in (1, 10, 40, 200) for mode in ("sync", "async", "overwrite")]


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")
@pytest.mark.parametrize("kills", [12, pytest.param(500, marks=pytest.mark.soak)])
def test_kills(tmp_path, kills):
    """R1."""
    draw, left, cases = random.Random(7), 0, CASES if kills < 100 else WHOLE
    for i in range(kills):
        mode, mb = cases[i % len(cases)] if i < kills - 5 or kills < 100 else (cases[i % 3][0], 200)
        if mb == 200 and i % 5:
            mb = 20
        left += one_kill(tmp_path, mode, mb * 1_000_000, draw)
    note("R1", f"kills while checkpoints were written ({left} in the middle of a file): lost or damaged", f"0 of {kills}", "0 of 500")
    assert left > 0, "no kill came while a file was being written: the test shows nothing"


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.out = nn.LSTM(4, 6, batch_first=True), nn.Linear(6, 2)

    def forward(self, x):
        return self.out(self.rnn(x.view(-1, 4, 4))[0][:, -1])


class Attentive(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.out = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.1, batch_first=True), nn.Linear(16, 2)

    def forward(self, x):
        return self.out(self.layer(x.view(-1, 4, 4)).flatten(1))


def convolutional():
    return nn.Sequential(nn.Unflatten(1, (1, 4, 4)), nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))


KINDS = {
    "mlp": (lambda: nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2)), lambda p: dv.optim.Adam(p, 1e-2)),
    "conv": (convolutional, lambda p: dv.optim.SGD(p, 0.05, momentum=0.9, nesterov=True)),
    "lstm": (Recurrent, lambda p: dv.optim.RMSprop(p, 1e-2, momentum=0.5)),
    "attention": (Attentive, lambda p: dv.optim.AdamW(p, 1e-2, amsgrad=True)),
    "norms": (lambda: nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.GELU(), nn.Linear(8, 2)),
              lambda p: dv.optim.Adagrad(p, 1e-2)),
    "float64": (lambda: nn.Sequential(nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 2)).double(), lambda p: dv.optim.Adadelta(p, 0.5)),
}  # fmt: skip


class Noisy(dv.utils.data.Dataset):
    """Samples with random augmentation, also from Python's generator."""

    def __len__(self):
        return 22

    def __getitem__(self, index):
        return dv.full((16,), index / 20.0) + 0.1 * dv.randn(16) + 0.01 * random.random(), index % 2


# How the data are loaded in the run that is killed, and in the one that goes on.
FOUND = {"sample_seed": 7, "persistent_workers": True}
LOADERS = {
    "mlp": ({"num_workers": 2, "sample_seed": 7}, {"num_workers": 2, "sample_seed": 7}),
    "conv": ({"num_workers": 2, "sample_seed": 7}, {"sample_seed": 7}),
    "lstm": ({}, {}),  # PyTorch's numbers: in line, from the program's generator
    "attention": ({"num_workers": 2, **FOUND}, {"num_workers": 1, **FOUND}),
    "norms": ({"sample_seed": 7}, {"num_workers": 2, "prefetch_factor": 4, "sample_seed": 7}),
    "float64": ({"num_workers": 2, "in_order": True, **FOUND}, {"num_workers": 4, "sample_seed": 7}),
}


def training(kind: str, seed: int, options=None):
    """Model, optimizer, scheduler and loader, and the losses of step after step, without an end."""
    dv.manual_seed(seed)
    random.seed(seed)
    model = KINDS[kind][0]()
    optimizer = KINDS[kind][1](model.parameters())
    scheduler = dv.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)
    loader = dv.utils.data.DataLoader(Noisy(), batch_size=5, shuffle=True, **(LOADERS[kind][0] if options is None else options))
    dtype = next(model.parameters()).dtype

    def losses():
        while True:
            for x, y in loader:
                loss = nn.functional.cross_entropy(model(x.to(dtype)), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                scheduler.step()
                yield loss.item()

    return {"model": model, "optimizer": optimizer, "scheduler": scheduler, "loader": loader}, losses()


def until_killed(folder: str, kind: str, seed: int, upto: int) -> None:
    """Train and save after every step; at the step ``upto`` the process kills itself, while the file is being written."""
    state, losses = training(kind, seed)
    run, draw = Checkpointer(folder, keep=2), random.Random(upto)
    for number, loss in enumerate(losses, 1):
        run.save({**state, "loss": loss}, step=number)
        if number == upto:
            time.sleep(draw.choice([0, 0, 0.002, 0.01]))
            os.kill(os.getpid(), signal.SIGKILL)


def killed(fresh: bool, *arguments) -> int:
    """The status of a process, a new one or a fork of this one, that ran `until_killed`."""
    if fresh:
        code = "import sys; from tests.core.io.test_resume import until_killed as run; f, k, s, u = sys.argv[1:]; run(f, k, int(s), int(u))"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], env=environment, check=False, timeout=120).returncode
    if (child := os.fork()) == 0:
        try:
            until_killed(*arguments)
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def leaves(value):
    if isinstance(value, dict):
        return [leaf for key in value for leaf in (key, *leaves(value[key]))]
    if isinstance(value, list | tuple):
        return [leaf for v in value for leaf in leaves(v)]
    return [(str(value.dtype), value.tolist())] if isinstance(value, dv.Tensor) else [value]


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("points", [2, pytest.param(25, marks=pytest.mark.soak)])
@pytest.mark.parametrize("kind", KINDS)
def test_training_goes_on_bit_for_bit(tmp_path, kind, points):
    """R7: every tensor of model, optimizer and scheduler, the random numbers, and the next 20 losses."""
    draw, right = random.Random(kind), 0
    for seed in range(points):
        upto, folder = draw.randint(2, 12), tmp_path / f"{seed}"
        assert killed(points > 2, str(folder), kind, seed, upto) == -signal.SIGKILL
        state, losses = training(kind, seed + 1000, LOADERS[kind][1])  # other weights, other random numbers
        at = Checkpointer(folder).restore(state)["step"]
        assert upto - 1 <= at <= upto
        resumed = list(itertools.islice(losses, 20))
        whole, losses = training(kind, seed, {k: v for k, v in LOADERS[kind][0].items() if k == "sample_seed"})
        expected = list(itertools.islice(losses, at, at + 20))
        del state["loader"]
        right += resumed == expected and all(leaves(state[n].state_dict()) == leaves(whole[n].state_dict()) for n in state)
    how = " then ".join(f"{options.get('num_workers', 0)} workers" for options in LOADERS[kind])
    what = f"{kind}, {how}: kills after which every tensor and the next 20 losses are the same"
    note("R7", what, f"{right} of {points}", "150 of 150 in all")
    assert right == points


def test_a_damaged_newest_one_is_said(tmp_path):
    state, losses = training("mlp", 0, {})
    with Checkpointer(tmp_path) as run:
        run.save(state)
        path = run.save(state)
    before = leaves(state["model"].state_dict())
    data = bytearray(path.read_bytes())
    data[8 + int.from_bytes(data[:8], "little") + 9] ^= 1
    path.write_bytes(data)
    next(losses)
    changed = leaves(state["model"].state_dict())
    assert changed != before
    with pytest.raises(FormatError, match=r"tensor 'state\..*' does not match its checksum"):
        run.restore(state)
    assert leaves(state["model"].state_dict()) == changed
    assert run.restore(state, run.paths()[0]) is not None and leaves(state["model"].state_dict()) == before
