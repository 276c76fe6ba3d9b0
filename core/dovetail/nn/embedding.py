"""Tables of vectors, looked up by index."""

from __future__ import annotations

from typing import Any

from ..autograd.modes import no_grad
from ..autograd.node import Tensor
from ..errors import AssertedError
from . import functional as F
from . import init
from ._make import Layer, need, parameter, unusual
from .parameter import Parameter

__all__ = ["Embedding", "EmbeddingBag"]


class _Table(Layer):
    """The weight (num_embeddings, embedding_dim), its start, and the row that stays zero."""

    weight: Parameter

    def _start(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None, weight: Any, **others: Any) -> None:
        name, device, dtype = type(self).__name__, others.pop("device"), others.pop("dtype")
        if padding_idx is not None:
            within = -num_embeddings <= padding_idx < num_embeddings
            need(within, name, f"padding_idx must be within num_embeddings (got {padding_idx} of {num_embeddings})", kind=AssertedError)
            padding_idx %= num_embeddings
        self._keep(num_embeddings=num_embeddings, embedding_dim=embedding_dim, padding_idx=padding_idx, **others)
        if weight is None:
            self.weight = parameter(num_embeddings, embedding_dim, device=device, dtype=dtype)
            self.reset_parameters()
        else:
            shape, wanted = tuple(weight.shape), (num_embeddings, embedding_dim)
            what = "Shape of weight does not match num_embeddings and embedding_dim"
            need(shape == wanted, name, what, f"got {shape} for {wanted}", AssertedError)
            self.weight = Parameter(weight, weight.is_floating_point() or weight.is_complex())

    def reset_parameters(self) -> None:
        """Draw the rows from N(0, 1); the row of ``padding_idx`` is zero."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0

    def _shown(self, *names: str) -> str:
        usual = {"padding_idx": None, "max_norm": None, "norm_type": 2.0, "scale_grad_by_freq": False, "sparse": False, "mode": None}
        return f"{self.num_embeddings}, {self.embedding_dim}" + unusual(self, repr, **{name: usual[name] for name in names})


class Embedding(_Table, calls=F.embedding, passes="weight padding_idx max_norm norm_type scale_grad_by_freq sparse"):
    """The rows of a table for indices of any shape: (*) → (*, embedding_dim).

    The row of ``padding_idx`` gets no gradient; ``max_norm`` shortens the rows looked up, in place.

    >>> import dovetail as dv
    >>> dv.nn.Embedding(10, 4, padding_idx=0)(dv.tensor([[1, 0, 3]])).shape
    dovetail.Size([1, 3, 4])
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, max_norm: float | None = None,
        norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False, _weight: Tensor | None = None,
        _freeze: bool = False, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        self._start(
            num_embeddings, embedding_dim, padding_idx, _weight, max_norm=max_norm, norm_type=norm_type,
            scale_grad_by_freq=scale_grad_by_freq, sparse=sparse, device=device, dtype=dtype,
        )  # fmt: skip
        self.weight.requires_grad_(not _freeze)

    def extra_repr(self) -> str:
        return self._shown("padding_idx", "max_norm", "norm_type", "scale_grad_by_freq", "sparse")

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, padding_idx: int | None = None, max_norm: float | None = None,
        norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
    ) -> Embedding:  # fmt: skip
        """Make a layer of a table (rows, columns); ``freeze`` keeps it as it is.

        >>> import dovetail as dv
        >>> dv.nn.Embedding.from_pretrained(dv.tensor([[1., 2.], [3., 4.]]))(dv.tensor(1))
        tensor([3., 4.])
        """
        rows, columns = _rows_and_columns(embeddings)
        return cls(rows, columns, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, _weight=embeddings, _freeze=freeze)


class EmbeddingBag(_Table):
    """Sums, means or maxima of the rows in each bag: (bags, n) → (bags, embedding_dim), or indices and ``offsets``.

    >>> import dovetail as dv
    >>> bag = dv.nn.EmbeddingBag.from_pretrained(dv.tensor([[1.], [3.], [5.]]), mode="sum")
    >>> bag(dv.tensor([0, 1, 2]), dv.tensor([0, 2]))
    tensor([[4.],
            [5.]])
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, max_norm: float | None = None, norm_type: float = 2.0,
        scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, _weight: Tensor | None = None,
        include_last_offset: bool = False, padding_idx: int | None = None, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        self._start(
            num_embeddings, embedding_dim, padding_idx, _weight, max_norm=max_norm, norm_type=norm_type, mode=mode, sparse=sparse,
            scale_grad_by_freq=scale_grad_by_freq, include_last_offset=include_last_offset, device=device, dtype=dtype,
        )  # fmt: skip

    def forward(self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        return F.embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.mode, self.sparse,
            per_sample_weights, self.include_last_offset, self.padding_idx,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return self._shown("max_norm", "norm_type", "scale_grad_by_freq", "mode", "padding_idx")

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, max_norm: float | None = None, norm_type: float = 2.0,
        scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:  # fmt: skip
        """Make a layer of a table (rows, columns); ``freeze`` keeps it as it is."""
        rows, columns = _rows_and_columns(embeddings)
        made = cls(rows, columns, max_norm, norm_type, scale_grad_by_freq, mode, sparse, embeddings, include_last_offset, padding_idx)
        made.weight.requires_grad_(not freeze)
        return made


def _rows_and_columns(embeddings: Tensor) -> tuple[int, int]:
    what = f"Embeddings parameter is expected to be 2-dimensional (shape {tuple(embeddings.shape)})"
    need(embeddings.ndim == 2, "from_pretrained", what, kind=AssertedError)
    return embeddings.shape[0], embeddings.shape[1]
