"""From a configuration to a Trainer: every name looked up first, then everything built in a fixed order from the seed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import dovetail as dv
from dovetail import datasets, models
from dovetail.errors import DeviceError, DovetailError, ValueRangeError
from dovetail.utils.data import DataLoader, IterableDataset, random_split

from ._batches import length
from ._state import seed_all
from .callbacks import Curves, EarlyStopping, MetricsFile
from .config import PLAIN, Config
from .names import check_options, find
from .ranks import Ranks, share
from .trainer import Trainer

__all__ = ["Mapped", "build", "look_up"]

_CYCLES = ("OneCycleLR", "CyclicLR")  # schedules that PyTorch steps after each batch


class Mapped(dv.utils.data.Dataset[Any]):
    """A dataset whose samples' first part goes through a chain of transforms.

    >>> Mapped([(1, "a"), (2, "b")], [lambda x: x + 1, lambda x: x * 10])[1]
    (30, 'b')
    """

    def __init__(self, dataset: Any, transforms: list[Callable[[Any], Any]]) -> None:
        self.dataset, self.transforms = dataset, transforms

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        return _mapped(self.dataset[index], self.transforms)


class _MappedStream(IterableDataset[Any]):
    def __init__(self, dataset: Any, transforms: list[Callable[[Any], Any]]) -> None:
        self.dataset, self.transforms = dataset, transforms

    def __iter__(self) -> Any:
        return (_mapped(sample, self.transforms) for sample in self.dataset)


def _mapped(sample: Any, transforms: list[Callable[[Any], Any]]) -> Any:
    first, *rest = sample if isinstance(sample, tuple) else (sample,)
    for transform in transforms:
        first = transform(first)
    return (first, *rest) if isinstance(sample, tuple) else first


def look_up(config: Config) -> dict[tuple[Any, ...], Any]:
    """Find everything that the configuration names, by the path of its table, without importing any of it."""
    values, found = config.values, {}

    def one(table: str, path: tuple[Any, ...], fields: Any) -> None:
        if isinstance(fields, str):
            found[path] = find(config, table, path, fields)
        elif "name" in fields:
            found[path] = find(config, table, (*path, "name"), fields["name"])

    for table in ("model", "train", "valid", "loss", "optimizer", "schedule"):
        if table in values:
            one(table, (table,), values[table])
        for number, fields in enumerate(values.get(table, {}).get("transforms", ()) if table in ("train", "valid") else ()):
            _look_up_transform(one, (table, "transforms", number), fields)
    for name, fields in values.get("metrics", {}).items():
        one("metrics", ("metrics", name), fields)
    for number, fields in enumerate(values.get("schedule", {}).get("schedulers", ())):
        if not isinstance(fields, dict) or "name" not in fields:
            raise ValueRangeError(config.where("schedule", "schedulers", number), "it has no name", 'expected { name = "…" }')
        one("schedule", ("schedule", "schedulers", number), fields)
    return found


def _look_up_transform(one: Callable[..., None], path: tuple[Any, ...], fields: Any) -> None:
    """A transform, and those within it: ``transforms = [{ name = … }]`` of vision/random_apply, say."""
    one("transforms", path, fields)
    for number, inner in enumerate(_inner(fields)):
        _look_up_transform(one, (*path, "transforms", number), inner)


def _inner(fields: dict[str, Any]) -> list[Any]:
    parts = fields.get("transforms", [])
    return parts if isinstance(parts, list) and parts and all(isinstance(p, dict) and "name" in p for p in parts) else []


class _Builder:
    """Builds what was looked up."""

    def __init__(self, config: Config, ranks: Ranks) -> None:
        self.config, self.values, self.found, self.ranks = config, config.values, look_up(config), ranks

    def make(self, path: tuple[Any, ...], changed: dict[str, Any] | None = None, **given: Any) -> Any:
        """Call what a table names with the options in it, and turn what goes wrong into an error that says where.

        ``changed`` are options that a file says in another form, ``given`` what a file cannot say.
        """
        fields: Any = self.values
        for part in path:
            fields = fields[part]
        target = self.found[path]
        target = target if isinstance(target, type) else target.load()
        options = {**_options("transforms" if "transforms" in path else path[0], fields), **(changed or {})}
        check_options(self.config, path, target, options, {*given, "last_epoch"})
        return self.guarded(path, partial(target, **given, **options))

    def guarded(self, path: tuple[Any, ...], action: Callable[[], Any]) -> Any:
        """Call ``action``; what it raises for wrong options names the place."""
        try:
            return action()
        except (TypeError, ValueError, LookupError, RuntimeError, OSError, AssertionError) as error:
            text = str(error) if isinstance(error, DovetailError) else f"{type(error).__name__}: {error}"
            raise ValueRangeError(self.config.where(*path), f"it cannot be made: {text}") from error

    # ----------------------------------------------------------------------------------------------------- parts

    def device(self) -> Any:
        name = self.values["device"]
        if name == "auto":
            name = "cuda" if dv.cuda.is_available() else "cpu"
        try:
            found = dv.device(name)
            dv.zeros(1, device=found)
            return found
        except (DeviceError, DovetailError, RuntimeError, ImportError) as error:
            raise ValueRangeError(
                self.config.where("device"), f"{name!r} is not there: {error}", "expected cpu, cuda, cuda:1 or auto"
            ) from None

    def model(self) -> Any:
        fields = self.values["model"]
        entry, options = self.found["model",], _options("model", fields)
        check_options(self.config, ("model",), entry.load(), options, {"weights"})
        model = self.guarded(("model",), lambda: models.create(entry.key, weights=fields.get("weights"), **options))
        if "weights_file" in fields:  # a state dict, or a module of this kind
            self.guarded(("model", "weights_file"), lambda: dv.load(Path(fields["weights_file"]), into=model))
        return model

    def dataset(self, table: str) -> Any:
        fields, entry = self.values[table], self.found.get((table,), self.found["train",])
        if "root" in self.values["train"] and fields.get("name") in (None, self.values["train"]["name"]):  # the same data, the same place
            fields = {"root": self.values["train"]["root"], **fields}
        options = _options(table, fields)
        place = {name: fields[name] for name in ("root", "split") if name in fields}
        if not any(hook == "build_dataset" for hook in entry.plugin.implements):
            check_options(self.config, (table,), entry.load(), {**place, **options}, {"transform"})
        return self.guarded((table,), lambda: datasets.load(entry.key, **place, **options))

    def transforms(self, path: tuple[Any, ...], fields: Any) -> list[Any]:
        """The transforms of a list of tables, each with those within it."""
        made = []
        for number, one in enumerate(fields):
            here = (*path, number)
            changed = {"transforms": self.transforms((*here, "transforms"), _inner(one))} if _inner(one) else {}
            made.append(self.make(here, changed))
        return made

    def data(self) -> tuple[Any, Any]:
        """The loaders of the data to learn from, and of that to evaluate with, or None."""
        train, valid, fields = self.dataset("train"), None, self.values.get("valid")
        if fields is not None and "fraction" in fields:
            if isinstance(train, IterableDataset):
                raise ValueRangeError(self.config.where("valid", "fraction"), "the dataset is a stream", "expected one with a length")
            held_out = max(1, round(len(train) * fields["fraction"]))
            generator = dv.Generator().manual_seed(self.values["seed"])
            train, valid = random_split(train, [len(train) - held_out, held_out], generator=generator)
        elif fields is not None:
            valid = self.dataset("valid")
        return self._loader("train", train), None if valid is None else self._loader("valid", valid)

    def _loader(self, table: str, dataset: Any) -> Any:
        values, transforms = self.values, self.transforms((table, "transforms"), self.values[table].get("transforms", ()))
        stream = isinstance(dataset, IterableDataset)
        if not stream and length(dataset) == 0:
            raise ValueRangeError(self.config.where(table), "the dataset is empty", "expected samples", "are root and split right?")
        if transforms:
            dataset = _MappedStream(dataset, transforms) if stream else Mapped(dataset, transforms)
        learn, workers = table == "train", values["workers"]
        options = {
            "shuffle": True if learn and not stream else None, "drop_last": learn and values["drop_last"], "num_workers": workers,
            "persistent_workers": workers > 0, "sample_seed": values["seed"],  # the same samples for any number of workers
        }  # fmt: skip
        batch_size = values["batch_size"]
        if learn and self.ranks.launched:
            if stream:
                what = f"the dataset is a stream, and {self.ranks.size} processes cannot share it"
                raise ValueRangeError(self.config.where(table), what, "expected one with a length")
            batch_size = share(self.ranks, self.config.where("batch_size"), batch_size)
            sampler = self.ranks.sampler(dataset, seed=values["seed"], drop_last=values["drop_last"])
            options |= {"shuffle": None, "sampler": sampler}
        return self.guarded((table,), lambda: DataLoader(dataset, batch_size, **options))

    def schedule(self, optimizer: Any, steps: int | None) -> tuple[Any, str]:
        """The schedule, or None, and when it steps."""
        fields = self.values.get("schedule")
        if fields is None:
            return None, "epoch"
        every = fields.setdefault("every", "step" if fields["name"] in _CYCLES else "epoch")
        total = self.values["epochs"] if every == "epoch" else steps and steps * self.values["epochs"]
        if fields["name"] != "SequentialLR":
            self._span(("schedule",), fields, total)
            return self.make(("schedule",), optimizer=optimizer), every
        parts, ends = fields.get("schedulers", []), [*fields.get("milestones", []), total]
        if len(parts) != len(ends) or len(parts) < 2 or not all(isinstance(end, int) for end in ends[:-1]):
            what = f"there are {len(parts)} schedulers and {len(ends) - 1} milestones"
            raise ValueRangeError(self.config.where("schedule"), what, "expected two or more, and one milestone less")
        made = []
        for number, part in enumerate(parts):
            path = ("schedule", "schedulers", number)
            self._span(path, part, ends[number] and ends[number] - ([0, *ends][number]))
            made.append(self.make(path, optimizer=optimizer))
        return self.make(("schedule",), {"schedulers": made}, optimizer=optimizer), every

    def _span(self, path: tuple[Any, ...], fields: dict[str, Any], total: int | None) -> None:
        """Fill in how long a schedule lasts where it must know and is not told: to the end of the training."""
        name = {"CosineAnnealingLR": "T_max", "OneCycleLR": "total_steps"}.get(fields["name"])
        if name and name not in fields and not {"epochs", "steps_per_epoch"} & fields.keys():
            if total is None:
                raise ValueRangeError(self.config.where(*path), f"{name} is missing and the data is a stream", f"expected {name} = …")
            fields[name] = total

    def metrics(self) -> dict[str, Any]:
        """The metrics by name; a function is bound to its options, a class is called with them."""
        made = {}
        for name, fields in self.values.get("metrics", {}).items():
            path, options = ("metrics", name), {} if isinstance(fields, str) else _options("metrics", fields)
            target = self.found[path].load()
            if isinstance(target, type):
                made[name] = self.guarded(path, partial(target, **options))
            else:
                outputs_and_targets = set(list(inspect.signature(target).parameters)[:2])
                check_options(self.config, path, target, options, outputs_and_targets)
                made[name] = partial(target, **options)
        return made


def _options(table: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The options in a table: what is not a key of its own. Weights of a loss are tensors."""
    options = {name: value for name, value in fields.items() if name not in PLAIN.get(table, ()) and name != "name"}
    if table == "loss":
        options |= {name: dv.tensor(options[name]) for name in ("weight", "pos_weight") if isinstance(options.get(name), list)}
    return options


def _check_monitors(config: Config, evaluated: bool) -> None:
    """Refuse to watch a result that no epoch gives."""
    results = ["train_loss", "lr", *(f"valid_{name}" for name in ("loss", *config.values.get("metrics", {})) if evaluated)]
    for table in ("checkpoints", "early_stopping"):
        if (name := config.values.get(table, {}).get("monitor", results[0])) not in results:
            raise config.unknown((table, "monitor", name), results, "result")


def build(config: Config, callbacks: list[Any] | None = None, *, write: bool = True, ranks: Ranks | None = None) -> Trainer:
    """Build the Trainer that a configuration describes, after its seed; what it leaves open is filled in ``config.values``.

    ``write=False`` leaves out what writes files; of several ``ranks`` the first alone has it. Raises what `look_up` raises, and a
    ValueRangeError that says which table cannot be made.
    """
    ranks = ranks or Ranks()
    builder, values = _Builder(config, ranks), config.values
    seed_all(values["seed"])
    device = builder.device()
    train, valid = builder.data()
    loss = builder.make(("loss",))
    if isinstance(loss, dv.nn.Module):
        loss.to(device)
    seed_all(values["seed"])  # the same first weights whatever the data
    model = builder.model().to(device)
    optimizer = builder.make(("optimizer",), params=model.parameters())
    batches = length(train)
    steps = batches and -(-batches // values["accumulate"])
    scheduler, every = builder.schedule(optimizer, steps)
    _check_monitors(config, valid is not None)
    out, kept, callbacks = Path(values["out"]), values["checkpoints"], list(callbacks or ())
    if "early_stopping" in values:
        callbacks.append(EarlyStopping(**{"monitor": "valid_loss" if valid is not None else "train_loss", **values["early_stopping"]}))
    if write and not ranks.rank:
        callbacks.append(MetricsFile(out / "metrics.jsonl", values["log"]["every"]))
        if values["log"]["curves"]:
            callbacks.append(Curves(out / "curves.png"))
    return Trainer(
        model, loss, optimizer, train, valid, scheduler=scheduler, schedule_every=every, epochs=values["epochs"], device=device,
        seed=values["seed"] + ranks.rank, metrics=builder.metrics(), monitor=kept.get("monitor", ""), mode=kept.get("mode", "min"),
        clip_grad_norm=values.get("clip_grad_norm"), accumulate=values["accumulate"], amp=values.get("amp"), callbacks=callbacks,
        checkpoints=out / "checkpoints" if write else None, save_every=kept.get("every"), keep=kept["keep"],
        ranks=ranks,
    )  # fmt: skip
