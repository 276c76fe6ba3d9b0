"""Sequences of different lengths: padded to one tensor, or packed step by step without padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...autograd.node import CLASSES, Tensor, titled, wrap
from ...device import device_of, to_device
from ...device import move as to_place
from ...errors import AssertedError, ShapeError, TypeMismatch, ValueRangeError
from .. import functional as F
from .._ops import dv

__all__ = [
    "PackedSequence", "invert_permutation", "pack_padded_sequence", "pack_sequence", "pad_packed_sequence", "pad_sequence",
    "unpack_sequence", "unpad_sequence",
]  # fmt: skip


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


def _converted(name: str) -> Any:
    """A method that converts the data as the tensor's method of that name does."""

    def convert(self: PackedSequence) -> PackedSequence:
        return self.to(getattr(self.data, name)().dtype)

    convert.__doc__ = f"The same sequences with data as ``Tensor.{name}`` makes it."
    return convert


class PackedSequence(_Packed):
    """Sequences, longest first, with all their first steps, then all their second steps, and so on, in ``data``.

    ``batch_sizes`` says how many have each step (on the CPU); ``sorted_indices`` how they were ordered.
    Made by ``pack_padded_sequence`` and ``pack_sequence``, understood by RNN, LSTM and GRU.
    """

    __slots__ = ()

    def __new__(
        cls, data: Tensor, batch_sizes: Tensor | None = None, sorted_indices: Tensor | None = None, unsorted_indices: Tensor | None = None
    ) -> PackedSequence:
        if batch_sizes is None:
            raise AssertedError("PackedSequence", "batch_sizes is missing", "expected data and batch_sizes", "use pack_sequence")
        if batch_sizes.is_cuda:
            raise ValueRangeError("PackedSequence", f"batch_sizes should always be on CPU, got {batch_sizes.device}")
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)  # type: ignore[arg-type]

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same sequences with ``data`` on another device or of another type."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        return PackedSequence(data, self.batch_sizes, *(None if i is None else i.to(data.device) for i in self[2:]))

    def cpu(self) -> PackedSequence:
        """On the CPU."""
        return self.to("cpu")

    def cuda(self, device: Any = None) -> PackedSequence:
        """On a GPU."""
        return self.to("cuda" if device is None else device)

    def pin_memory(self) -> PackedSequence:
        """The same sequences: there is no pinned memory here."""
        return self

    def is_pinned(self) -> bool:
        """Whether the data is in pinned memory: never."""
        return False

    @property
    def is_cuda(self) -> bool:
        """Whether the data is on a GPU."""
        return self.data.is_cuda

    byte, char, double, float, half, int, long, short = map(_converted, "byte char double float half int long short".split())


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes another one.

    >>> import dovetail as dv
    >>> invert_permutation(dv.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    return None if permutation is None else permutation.argsort()


def _numbers(lengths: Any) -> np.ndarray:
    found = np.asarray(lengths.detach().cpu().numpy() if lengths.__class__ in CLASSES else lengths, np.int64)
    if found.ndim != 1:
        what = f"'lengths' argument should be a 1D CPU int64 tensor, but got {found.ndim}D"
        raise ShapeError("pack_padded_sequence", what, "", "give one length for each sequence")
    return found


def _on(array: np.ndarray, like: Tensor) -> Tensor:
    return wrap(to_place(array, to_device(device_of(like._a))))


def _plan(batch_sizes: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each (step, sequence) lies in packed data, whether it is there at all, and the sequences' lengths."""
    sizes = _numbers(batch_sizes)
    starts = np.cumsum(sizes) - sizes
    alive = np.arange(sizes[0]) < sizes[:, None]
    return np.where(alive, starts[:, None] + np.arange(sizes[0]), 0), alive, alive.sum(0)


def _unpack_steps(data: Tensor, batch_sizes: Tensor, value: float = 0.0, count: int | None = None) -> tuple[Tensor, np.ndarray]:
    """Packed data as ``count`` steps (T, N, *), with a value after the ends, and the lengths."""
    rows, alive, lengths = _plan(batch_sizes)
    if count is not None:
        rows, alive = (np.pad(a, ((0, count - len(a)), (0, 0))) for a in (rows, alive))
    steps = data.index_select(0, _on(rows.reshape(-1), data)).reshape(*rows.shape, *data.shape[1:])
    if not alive.all():
        there = _on(alive.reshape(*alive.shape, *[1] * (data.ndim - 1)), data)
        steps = titled("CopySlices", dv.where(there, steps, dv.full((), value, dtype=data.dtype, device=data.device)))
    return steps, lengths


def _pack_steps(steps: Tensor, batch_sizes: Tensor) -> Tensor:
    """Steps (T, N, *) without what lies after the ends: packed data."""
    _, alive, _ = _plan(batch_sizes)
    flat = steps.reshape(-1, *steps.shape[2:])
    return titled("Cat0", flat if alive.all() else flat.index_select(0, _on(np.flatnonzero(alive), steps)))


def pack_padded_sequence(input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True) -> PackedSequence:
    """Pack a padded batch (T, N, *), or (N, T, *) if ``batch_first``.

    Raises a RuntimeError for lengths that are not positive, not one for each sequence, too long, or (with
    ``enforce_sorted``) not in decreasing order.

    >>> import dovetail as dv
    >>> pack_padded_sequence(dv.tensor([[1, 2], [3, 0]]), [2, 1], batch_first=True).data
    tensor([1, 3, 2])
    """
    sizes = _numbers(lengths)
    order = None
    steps = input.transpose(0, 1) if batch_first else input
    if not enforce_sorted:
        order = np.argsort(-sizes, kind="stable")
        sizes = sizes[order]
        steps = steps.index_select(1, _on(order, input))
    where, longest = "pack_padded_sequence", steps.shape[0]
    if len(sizes) != steps.shape[1]:
        what = f"Expected `len(lengths)` to be equal to batch_size, but got {len(sizes)} (batch_size={steps.shape[1]})"
        raise ShapeError(where, what)
    if not (len(sizes) and longest):
        raise ShapeError(where, f"Cannot pack empty tensors. (shape {tuple(input.shape)})")
    if sizes.min() <= 0:
        what = f"Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0: {sizes.min()}"
        raise ShapeError(where, what)
    if (np.diff(sizes) > 0).any():
        what = f"`lengths` array must be sorted in decreasing order when `enforce_sorted` is True (got {sizes.tolist()})"
        raise ShapeError(where, what, "", "pass enforce_sorted=False")
    if sizes[0] > longest:
        raise ShapeError(where, f"Expected lengths of at most {longest} steps, got {sizes[0]}")
    batch_sizes = wrap((sizes > np.arange(sizes[0])[:, None]).sum(1))
    data = _pack_steps(steps[: int(sizes[0])], batch_sizes)
    data = titled("PackPaddedSequence0", data.clone() if sizes[-1] == longest else data)  # never a view
    return PackedSequence(data, batch_sizes, None if order is None else _on(order, input), None)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Undo ``pack_padded_sequence``: the padded batch (T, N, *), and the lengths.

    Raises a ValueError where ``total_length`` is shorter than the longest sequence.

    >>> import dovetail as dv
    >>> packed = pack_padded_sequence(dv.tensor([[1, 2], [3, 0]]), [2, 1], batch_first=True)
    >>> pad_packed_sequence(packed, batch_first=True)
    (tensor([[1, 2],
            [3, 0]]), tensor([2, 1]))
    """
    data, batch_sizes, _, unsorted = sequence
    longest = len(batch_sizes)
    if total_length is not None and total_length < longest:
        what = "Expected total_length to be at least the length of the longest sequence in input, "
        raise ValueRangeError("pad_packed_sequence", f"{what}but got total_length={total_length} and max sequence length being {longest}")
    out, lengths = _unpack_steps(data, batch_sizes, padding_value, total_length)
    where = wrap(lengths)
    if unsorted is not None:
        out, where = out.index_select(1, unsorted), where[unsorted.cpu()]
    return out.transpose(0, 1) if batch_first else out, where


def pad_sequence(sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right") -> Tensor:
    """Stack sequences (L_i, *) into (T, N, *), or (N, T, *) if ``batch_first``, padded to the longest.

    >>> import dovetail as dv
    >>> pad_sequence([dv.tensor([1, 2]), dv.tensor([3])], batch_first=True)
    tensor([[1, 2],
            [3, 0]])
    """
    if padding_side not in ("left", "right"):
        raise ShapeError("pad_sequence", f"Expected padding_side to be one of left or right, but got {padding_side}")
    if sequences.__class__ in CLASSES:
        sequences = sequences.unbind(0)
    elif not hasattr(sequences, "__iter__"):
        raise ShapeError("pad_sequence", f"Expected iterable for input sequences, but got arg of type: {type(sequences)}")
    sequences = list(sequences)
    if not sequences:
        raise ShapeError("pad_sequence", "received an empty list of sequences")
    if not all(s.__class__ in CLASSES for s in sequences):
        raise TypeMismatch("pad_sequence", "expected Tensors as elements", f"got {[type(s).__name__ for s in sequences]}")
    longest, kind = max(s.shape[0] for s in sequences), sequences[0].dtype
    made = []
    for s in sequences:
        s = s.to(kind)
        missing = longest - s.shape[0]
        ends = (0, missing) if padding_side == "right" else (missing, 0)
        made.append(F.pad(s, [0, 0] * (s.ndim - 1) + list(ends), value=padding_value) if missing else s)
    return dv.stack(made, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """Undo ``pad_sequence``: the sequences (L_i, *).

    >>> import dovetail as dv
    >>> unpad_sequence(dv.tensor([[1, 2], [3, 0]]), dv.tensor([2, 1]), batch_first=True)
    [tensor([1, 2]), tensor([3])]
    """
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[:n].clone() for row, n in zip(rows, _numbers(lengths).tolist(), strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack a list of sequences (L_i, *).

    >>> import dovetail as dv
    >>> pack_sequence([dv.tensor([1, 2]), dv.tensor([3])]).batch_sizes
    tensor([2, 1])
    """
    return pack_padded_sequence(pad_sequence(sequences), [len(s) for s in sequences], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Undo ``pack_sequence``: the sequences (L_i, *)."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
