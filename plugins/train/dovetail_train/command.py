"""`dovetail train CONFIG.toml`: train what a file describes, continue it, or show what would be done."""

from __future__ import annotations

import importlib.util
import itertools
import os
import tomllib
from importlib import resources
from pathlib import Path
from typing import IO, Any

import click

from dovetail.errors import DovetailError, FormatError, ValueRangeError
from dovetail.io.atomic import fcntl, replacing

__all__ = ["train"]

_FREE = {"epochs", "workers", "device", "out", "checkpoints", "early_stopping", "log"}  # what may change when a run is continued


class _Wrong(click.ClickException):
    exit_code = 2


@click.command()
@click.argument("config", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Override a key, such as optimizer.lr=0.1; may be repeated.")
@click.option("--resume", default="no", show_default=True, metavar="auto|PATH|no", help="Continue the run in its folder, or a checkpoint.")
@click.option("--dry-run", is_flag=True, help="Build everything, try one batch, say what would be done, and write nothing.")
@click.option("--list", "listed", is_flag=True, help="List the names that a configuration may use.")
@click.option("--example", is_flag=True, help="Print a configuration that runs, with comments.")
@click.option("--quiet", is_flag=True, help="No progress.")
def train(config: Path | None, sets: tuple[str, ...], resume: str, dry_run: bool, listed: bool, example: bool, quiet: bool) -> None:
    """Train what CONFIG, a TOML file, describes.

    Exit codes: 0 done; 1 the training failed; 2 the configuration or the command line is wrong; 75 stopped by SIGTERM or Ctrl-C with all
    saved: run it again with --resume auto.
    """
    if example:
        click.echo(resources.files(__package__).joinpath("example.toml").read_text(encoding="utf-8"), nl=False)
    elif listed:
        _list()
    elif config is None:
        raise click.UsageError("there is no CONFIG; 'dovetail train --example > digits.toml' writes one that runs")
    elif dry_run:
        _try(config, sets)
    else:
        _run(config, sets, resume, quiet)


def _list() -> None:
    from .names import KINDS, known

    for table in KINDS:
        if table != "valid":
            title = {"train": "train, valid"}.get(table, table)
            click.secho(f"[{title}]", bold=True)
            click.echo("  " + "\n  ".join(known(table)))


def _read(config: Path, sets: tuple[str, ...]) -> Any:
    from .config import read

    found = read(config, sets)
    if found.values["log"]["curves"] and importlib.util.find_spec("matplotlib") is None:
        text = 'matplotlib is not installed, so no curves will be drawn; pip install "dovetail-train[curves]"'
        click.secho(text, fg="yellow", err=True)
        found.values["log"]["curves"] = False
    return found


def _try(config: Path, sets: tuple[str, ...]) -> None:
    from .build import build
    from .evaluation import watched

    try:
        found = _read(config, sets)
        trainer = build(found, write=False)
    except (DovetailError, OSError) as error:
        raise _Wrong(_text(error)) from error
    try:
        loss = trainer.try_batch()
        results = {} if trainer.valid is None else trainer.evaluate(itertools.islice(trainer.valid, 1))
        watched(trainer.monitor, {"train_loss": loss, "lr": trainer.state.lr, **{f"valid_{name}": one for name, one in results.items()}})
    except Exception as error:  # what a model, a loss or a metric says of data that does not fit it
        raise _Wrong(f"{config}: a batch does not go through: {type(error).__name__}: {error}") from error
    state, values = trainer.state, found.values
    parameters = sum(p.numel() for p in trainer.model.parameters())
    rows = [
        ("model", f"{values['model']['name']}: {parameters:,} parameters, on {trainer.device}"),
        ("data", f"{_many(trainer.train)} to learn from, {_many(trainer.valid)} to evaluate with"),
        ("steps", f"{state.steps_per_epoch or '?'} an epoch, {values['epochs']} epochs"),
        ("optimizer", f"{type(state.optimizer).__name__}, {type(state.scheduler).__name__ if state.scheduler else 'no schedule'}"),
        ("a batch", f"goes through: {type(trainer.loss).__name__} {loss:.4g}{''.join(f', {name}' for name in results if name != 'loss')}"),
        ("out", f"{values['out']} ({'holds a run' if _holds(Path(values['out'])) else 'is free'})"),
    ]
    for what, text in rows:
        click.echo(f"{what:10} {text}")


def _many(loader: Any) -> str:
    if loader is None:
        return "none"
    return f"{len(loader.dataset):,} samples" if hasattr(loader.dataset, "__len__") else "a stream"


def _run(config: Path, sets: tuple[str, ...], resume: str, quiet: bool) -> None:
    from ._signals import AGAIN
    from .ranks import started

    try:
        ranks = started()
        if resume == "no" and os.environ.get("DOVETAIL_RESTART", "0") != "0":  # dovetail launch starts again what had died
            resume = "auto"
        trainer, out, path, lock = _prepare(config, sets, resume, quiet, ranks)
    except (DovetailError, OSError) as error:
        raise _Wrong(_text(error)) from error
    try:
        state = trainer.fit(path)
        if not ranks.rank:
            _finish(trainer, out, state)
    except KeyboardInterrupt:
        raise SystemExit(_stopped(trainer, out, AGAIN)) from None
    except SystemExit as end:
        raise SystemExit(_stopped(trainer, out, AGAIN) if end.code == AGAIN else end.code) from None
    except (DovetailError, OSError, MemoryError) as error:
        notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
        raise click.ClickException(f"{type(error).__name__}: {_text(error)}{notes}") from error
    if lock is not None:
        lock.close()


def _stopped(trainer: Any, out: Path, code: int) -> int:
    if trainer.state.ended not in ("SIGTERM", "SIGINT"):  # the second signal
        return 130
    if trainer.ranks.rank:
        return code
    click.echo(f"stopped by {trainer.state.ended} after step {trainer.state.step}, saved in {out}; go on with --resume auto", err=True)
    return code


def _prepare(
    config: Path, sets: tuple[str, ...], resume: str, quiet: bool, ranks: Any
) -> tuple[Any, Path, Path | None, IO[str] | None]:  # fmt: skip
    """The trainer, its folder with the resolved configuration in it, the checkpoint to begin with, and the lock of the folder.

    Of several processes the first does all this before the others build theirs.
    """
    from .build import build

    with ranks.one_by_one():
        found = _read(config, sets)
        out = Path(found.values["out"])
        if ranks.rank:
            trainer, path, lock = build(found, ranks=ranks), None, None
        else:
            trainer, path, lock = _first(found, out, resume, quiet, ranks)
    path = ranks.first_of(None if path is None else str(path))
    return trainer, out, path and Path(path), lock


def _first(found: Any, out: Path, resume: str, quiet: bool, ranks: Any) -> tuple[Any, Path | None, IO[str]]:
    """What the process does that writes."""
    from .build import build
    from .callbacks import Progress

    if resume == "no" and _holds(out):
        remedy = "--resume auto continues it; --set out=… writes elsewhere"
        raise ValueRangeError(found.where("out"), f"the folder {str(out)!r} holds a run", "expected one without", remedy)
    trainer = build(found, [] if quiet else [Progress()], ranks=ranks)
    path = trainer.checkpoints.latest() if resume == "auto" else None if resume == "no" else _checkpoint(Path(resume))
    if path is not None:
        _compare(found.values, path.parent.parent / "config.toml")
        trainer.checkpoints.load(path)  # a damaged one is found before anything is written
    out.mkdir(parents=True, exist_ok=True)
    lock = _locked(out)
    _write(out / "config.toml", found.values)
    return trainer, path, lock


def _locked(out: Path) -> IO[str]:
    """Take the folder for this process alone; the system gives it back when the process ends, however it does."""
    file = open(out / ".lock", "w", encoding="utf-8")  # noqa: SIM115
    if fcntl is not None:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # of this process, not of workers that it forks
        except (BlockingIOError, PermissionError):
            file.close()
            raise ValueRangeError(f"out: {out}", "another process trains into this folder", "expected one of its own") from None
        except OSError:  # a file system without locks
            pass
    return file


def _holds(out: Path) -> bool:
    """Whether there is something to lose; a run that failed at its first step left nothing."""
    metrics = out / "metrics.jsonl"
    return (metrics.exists() and metrics.stat().st_size > 0) or any((out / "checkpoints").glob("*"))


def _checkpoint(path: Path) -> Path:
    """A checkpoint, or the newest of a run's folder."""
    from ._state import Checkpoints

    found = Checkpoints(path / "checkpoints").latest() if path.is_dir() else path
    if found is None or not found.is_file():
        raise ValueRangeError(f"--resume {path}", "there is no checkpoint", "expected one, or the folder of a run")
    return found


def _compare(values: dict[str, Any], path: Path) -> None:
    """Refuse to continue a run with a configuration that it was not begun with."""
    try:
        before = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except (ValueError, RecursionError) as error:
        raise FormatError(path, None, f"is not what was written there: {error}") from None
    old, new = _flat(before), _flat(values)
    other = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key) and key.partition(".")[0] not in _FREE]
    if other:
        changed = ", ".join(f"{key} = {new.get(key, 'nothing')} (was {old.get(key, 'nothing')})" for key in other[:5])
        raise ValueRangeError(
            f"--resume: {path}", f"the run was begun otherwise: {changed}", "expected the same", "begin another with --set out=…"
        )


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix: value}
    return {key: one for name, part in value.items() for key, one in _flat(part, f"{prefix}.{name}" if prefix else name).items()}


def _write(path: Path, values: dict[str, Any]) -> None:
    import tomli_w

    with replacing(path) as temporary:
        temporary.write_text(f"# The configuration of this run, with all that was left open.\n\n{tomli_w.dumps(values)}", encoding="utf-8")


def _finish(trainer: Any, out: Path, state: Any) -> None:
    """Write the model, and the best one where there was a choice; say where they are."""
    import dovetail as dv

    dv.save(trainer.model, out / "model.safetensors")
    written = ["model.safetensors", "config.toml", "metrics.jsonl", *(["curves.png"] if (out / "curves.png").exists() else [])]
    if (best := trainer.checkpoints.best_path()) is not None:
        last = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
        trainer.model.load_state_dict(trainer.checkpoints.load(best)["model"])
        dv.save(trainer.model, out / "best.safetensors")
        trainer.model.load_state_dict(last)
        written.insert(1, "best.safetensors")
    results = "  ".join(f"{name} {value:.4g}" for name, value in state.metrics.items() if isinstance(value, float))
    click.echo(f"{state.ended} after {state.epoch} epochs, {state.step} steps: {results}")
    click.echo(f"{out}: {', '.join(written)}")


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__
