"""One step of an RNN, an LSTM or a GRU."""

from __future__ import annotations

import math
from typing import Any

from ..autograd.node import Tensor
from ..errors import ShapeError, ValueRangeError
from . import init
from ._make import Layer, parameters, unusual
from ._ops import dv

__all__ = ["GRUCell", "LSTMCell", "RNNCell", "RNNCellBase"]


class RNNCellBase(Layer):
    """The weights ``weight_ih``, ``weight_hh``, ``bias_ih``, ``bias_hh`` of a cell, from U(-k, k), k = 1 / √hidden_size."""

    nonlinearity = "tanh"

    def __init__(self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None, dtype: Any = None) -> None:
        self._keep(input_size=input_size, hidden_size=hidden_size, bias=bias)
        gates = num_chunks * hidden_size
        one = (gates,) if bias else None
        parameters(self, device, dtype, weight_ih=(gates, input_size), weight_hh=(gates, hidden_size), bias_ih=one, bias_hh=one)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial weights."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _step(self, cell: Any, input: Tensor, states: list[Tensor] | None, count: int = 1) -> Any:
        """Run a cell on (N, I) or (I); absent states are zeros."""
        name = type(self).__name__
        for what, t in [("input", input), *(("hidden", state) for state in states or ())]:
            if t.ndim not in (1, 2):
                raise ValueRangeError(name, f"Expected {what} to be 1D or 2D, got {t.ndim}D instead")
        single = input.ndim == 1
        if single:
            input = input.unsqueeze(0)
            states = states and [s.unsqueeze(0) for s in states]
        batch, size = input.shape
        if states is None:
            states = [dv.zeros(batch, self.hidden_size, dtype=input.dtype, device=input.device)] * count
        if size != self.input_size:
            raise ShapeError(name, f"input has inconsistent input_size: got {size} expected {self.input_size}")
        for state in states:
            if state.shape[0] != batch or state.shape[1] != self.hidden_size:
                expected = (batch, self.hidden_size)
                raise ShapeError(name, f"hidden has inconsistent hidden_size: got {tuple(state.shape)} expected {expected}")
        out = cell(input, states[0] if count == 1 else tuple(states), self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        if not single:
            return out
        return out.squeeze(0) if count == 1 else tuple(s.squeeze(0) for s in out)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + unusual(self, bias=True, nonlinearity="tanh")


class RNNCell(RNNCellBase):
    """h' = tanh(x W_ihᵀ + b_ih + h W_hhᵀ + b_hh), or relu of it: (N, I), (N, H) → (N, H).

    >>> import dovetail as dv
    >>> dv.nn.RNNCell(3, 4)(dv.ones(2, 3)).shape
    dovetail.Size([2, 4])
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        cell = {"tanh": dv.rnn_tanh_cell, "relu": dv.rnn_relu_cell}.get(self.nonlinearity)
        if cell is None:
            raise ShapeError("RNNCell", f"Unknown nonlinearity: {self.nonlinearity}", "expected 'tanh' or 'relu'")
        return self._step(cell, input, None if hx is None else [hx])


class GRUCell(RNNCellBase):
    """One step of a GRU: (N, I), (N, H) → (N, H).

    >>> import dovetail as dv
    >>> dv.nn.GRUCell(3, 4)(dv.ones(2, 3), dv.zeros(2, 4)).shape
    dovetail.Size([2, 4])
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step(dv.gru_cell, input, None if hx is None else [hx])


class LSTMCell(RNNCellBase):
    """One step of an LSTM: (N, I), ((N, H), (N, H)) → (h, c).

    >>> import dovetail as dv
    >>> h, c = dv.nn.LSTMCell(3, 4)(dv.ones(2, 3))
    >>> c.shape
    dovetail.Size([2, 4])
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        return self._step(dv.lstm_cell, input, None if hx is None else list(hx), 2)
