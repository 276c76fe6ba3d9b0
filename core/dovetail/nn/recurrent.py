"""RNN, LSTM and GRU over sequences: several layers, both directions, packed sequences; and their single steps, the cells."""

from __future__ import annotations

import math
import warnings
from typing import Any

from .. import ops
from ..autograd.node import Tensor
from ..errors import ShapeError, TypeMismatch, ValueRangeError
from ..ops._autocast import alike
from . import functional as F
from . import init
from ._make import Layer, need, parameters, unusual
from ._ops import dv
from .utils.rnn import PackedSequence, _on, _pack_steps, _unpack_steps

__all__ = ["GRU", "LSTM", "RNN", "RNNBase"]

_EMPTY = "Expected sequence length to be larger than 0 in RNN"
_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


class RNNBase(Layer):
    """What RNN, LSTM and GRU share: the weights ``weight_ih_l0``, ``weight_hh_l0``, ``bias_ih_l0``, … and the walk through the layers.

    All weights start from U(-k, k), k = 1 / √hidden_size.
    """

    def __init__(
        self, mode: str, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
        dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        self._keep(
            mode=mode, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers, bias=bias, batch_first=batch_first,
            dropout=dropout, bidirectional=bidirectional, proj_size=proj_size,
        )  # fmt: skip
        self._check_arguments()
        self.dropout = float(dropout)
        gates, out_size = _GATES[mode] * hidden_size, proj_size or hidden_size
        self._all_weights = []
        for layer in range(num_layers):
            size = input_size if layer == 0 else out_size * self._ways
            for suffix in [f"_l{layer}", f"_l{layer}_reverse"][: self._ways]:
                shapes: dict[str, Any] = {f"weight_ih{suffix}": (gates, size), f"weight_hh{suffix}": (gates, out_size)}
                if bias:
                    shapes |= {f"bias_ih{suffix}": (gates,), f"bias_hh{suffix}": (gates,)}
                if proj_size:
                    shapes[f"weight_hr{suffix}"] = (proj_size, hidden_size)
                parameters(self, device, dtype, **shapes)
                self._all_weights.append(list(shapes))
        self.reset_parameters()

    def _check_arguments(self) -> None:
        name, dropout = type(self).__name__, self.dropout
        number = isinstance(dropout, int | float) and not isinstance(dropout, bool)
        what = "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
        need(number and 0 <= dropout <= 1, name, what, f"got {dropout!r}")
        if dropout > 0 and self.num_layers == 1:
            what = "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers greater than 1, "
            what += f"but got dropout={dropout} and num_layers=1"
            warnings.warn(what, stacklevel=4)
        for what, kind in (("bias", bool), ("batch_first", bool), ("input_size", int), ("hidden_size", int)):
            value = getattr(self, what)
            need(isinstance(value, kind), name, f"{what} should be of type {kind.__name__}, got: {type(value).__name__}", kind=TypeMismatch)
        for what in ("input_size", "hidden_size", "num_layers"):
            need(getattr(self, what) > 0, name, f"{what} must be greater than zero", f"got {getattr(self, what)}")
        size, hidden = self.proj_size, self.hidden_size
        need(self.mode in _GATES, name, f"Unrecognized RNN mode: {self.mode}")
        need(size >= 0, name, "proj_size should be a positive integer or zero to disable projections", f"got {size}")
        need(size < hidden, name, "proj_size has to be smaller than hidden_size", f"got {size} and {hidden}")

    @property
    def _ways(self) -> int:
        return 2 if self.bidirectional else 1

    def reset_parameters(self) -> None:
        """Draw new initial weights."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def flatten_parameters(self) -> None:
        """Nothing to do: weights need not lie side by side here."""

    @property
    def all_weights(self) -> list[list[Any]]:
        """The weights of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list[Any]:
        return [weight for weights in self.all_weights for weight in weights]

    # --- forward --------------------------------------------------------------------------------------------------

    def forward(self, input: Any, hx: Any = None) -> Any:
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        if input.ndim not in (2, 3):
            raise ValueRangeError(type(self).__name__, f"Expected input to be 2D or 3D, got {input.ndim}D instead")
        single = input.ndim == 2
        need(len(input) or (not single and self.batch_first), type(self).__name__, _EMPTY, kind=ShapeError)
        states = None if hx is None else self._states_in(hx)
        if states is not None and any(s.ndim != input.ndim for s in states):
            kind, got = "unbatched 2-D" if single else "batched 3-D", "/".join(f"{s.ndim}-D" for s in states)
            what = f"For {kind} input, hx should also be {input.ndim}-D but got {got} tensor"
            raise ShapeError(type(self).__name__, what)
        if single:
            input = input.unsqueeze(1)
            states = states and [s.unsqueeze(1) for s in states]
        elif self.batch_first:
            input = input.transpose(0, 1)
        out, states = self._walk(input, states, None)
        if single:
            return out.squeeze(1), self._states_out([s.squeeze(1) for s in states])
        return out.transpose(0, 1) if self.batch_first else out, self._states_out(states)

    def _forward_packed(self, input: PackedSequence, hx: Any) -> Any:
        states = None if hx is None else self._states_in(hx)
        if states is not None and input.sorted_indices is not None:
            states = [s.index_select(1, input.sorted_indices) for s in states]
        steps, lengths = _unpack_steps(input.data, input.batch_sizes)
        out, states = self._walk(steps, states, _on(lengths, steps), input.batch_sizes)
        if input.unsorted_indices is not None:
            states = [s.index_select(1, input.unsorted_indices) for s in states]
        return PackedSequence(_pack_steps(out, input.batch_sizes), *input[1:]), self._states_out(states)

    def _states_in(self, hx: Any) -> list[Tensor]:
        return [hx]

    def _states_out(self, states: list[Tensor]) -> Any:
        return states[0]

    def _walk(self, input: Tensor, states: list[Tensor] | None, lengths: Any, sizes: Any = None) -> tuple[Tensor, list[Tensor]]:
        """All layers and directions over (T, N, input_size)."""
        self._check_input(input)
        if states is None:
            states = [dv.zeros(*shape, dtype=input.dtype, device=input.device) for shape in self._state_shapes(input.shape[1])]
        else:
            self._check_states(states, input.shape[1])
        finals: list[Any] = []
        weights = self.all_weights
        for layer in range(self.num_layers):
            ways = range(layer * self._ways, (layer + 1) * self._ways)
            ran = [self._layer(input, [s[k] for s in states], weights[k], reverse=k != ways[0], lengths=lengths) for k in ways]
            finals += [last for _, *last in ran]
            input = ran[0][0] if len(ran) == 1 else dv.cat([out for out, *_ in ran], -1)
            if self.dropout and self.training and layer < self.num_layers - 1:
                packed = F.dropout(input if sizes is None else _pack_steps(input, sizes), self.dropout, True)
                input = packed if sizes is None else _unpack_steps(packed, sizes)[0]
        return input, [dv.stack(list(s)) for s in zip(*finals, strict=True)]

    def _layer(self, input: Tensor, states: list[Tensor], weights: list[Any], **how: Any) -> Any:
        """One layer in one direction; ``weights`` are w_ih, w_hh, and the biases if there are such."""
        return self._calls(input, *states, *weights, **how)

    def _check_input(self, input: Tensor) -> None:
        name, weight = type(self).__name__, getattr(self, self._all_weights[0][0])
        if not alike(input._a, weight._a):
            what = f"RNN input dtype ({input.dtype}) does not match weight dtype ({weight.dtype})"
            raise ValueRangeError(name, what, "", f"Convert input: input.to({weight.dtype})")
        if input.shape[-1] != self.input_size:
            what = f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.shape[-1]}"
            raise ShapeError(name, what, "", f"features come last; make the layer {name}({input.shape[-1]}, {self.hidden_size})")

    def _state_shapes(self, batch: int) -> list[tuple[int, int, int]]:
        return [(self.num_layers * self._ways, batch, self.proj_size or self.hidden_size)]

    def _check_states(self, states: list[Tensor], batch: int) -> None:
        for i, (state, shape) in enumerate(zip(states, self._state_shapes(batch), strict=True)):
            if tuple(state.shape) != shape:
                which = "hidden size" if len(states) == 1 else f"hidden[{i}] size"
                raise ShapeError(type(self).__name__, f"Expected {which} {shape}, got {list(state.shape)}")

    def extra_repr(self) -> str:
        rest = unusual(self, proj_size=0, num_layers=1, bias=True, batch_first=False, dropout=0, bidirectional=False)
        return f"{self.input_size}, {self.hidden_size}{rest}"


class RNN(RNNBase, calls=ops.recurrent.rnn_layer):
    """h_t = tanh(x_t W_ihᵀ + b_ih + h_{t-1} W_hhᵀ + b_hh), or relu of it: (T, N, I) → (T, N, H) and the last states.

    >>> import dovetail as dv
    >>> out, h = dv.nn.RNN(3, 4, num_layers=2)(dv.ones(5, 1, 3))
    >>> out.shape, h.shape
    (dovetail.Size([5, 1, 4]), dovetail.Size([2, 1, 4]))
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh", bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        need(nonlinearity in ("tanh", "relu"), "RNN", f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        mode = f"RNN_{nonlinearity.upper()}"
        super().__init__(mode, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype)
        self.nonlinearity = nonlinearity

    def _layer(self, *given: Any, **how: Any) -> Any:
        return super()._layer(*given, **how, nonlinearity=self.mode[4:].lower())


class GRU(RNNBase, calls=ops.recurrent.gru_layer):
    """Gated recurrent units: reset r, update z, candidate n; h_t = (1 - z) n + z h_{t-1}. Cho and others, 2014.

    >>> import dovetail as dv
    >>> out, h = dv.nn.GRU(3, 4, batch_first=True, bidirectional=True)(dv.ones(2, 5, 3))
    >>> out.shape, h.shape
    (dovetail.Size([2, 5, 8]), dovetail.Size([2, 2, 4]))
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
        dropout: float = 0.0, bidirectional: bool = False, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__("GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype)


class LSTM(RNNBase, calls=ops.recurrent.lstm_layer):
    """Long short-term memory: gates i, f, g, o; c_t = f c_{t-1} + i g, h_t = o tanh(c_t). Hochreiter and Schmidhuber, 1997.

    With ``proj_size`` h_t is projected to that size. The states are a pair (h, c).

    >>> import dovetail as dv
    >>> out, (h, c) = dv.nn.LSTM(3, 4)(dv.ones(5, 1, 3))
    >>> out.shape, c.shape
    (dovetail.Size([5, 1, 4]), dovetail.Size([1, 1, 4]))
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
        dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__("LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype)

    def _states_in(self, hx: Any) -> list[Tensor]:
        return [hx[0], hx[1], *hx[2:]]  # one tensor serves as its own two rows

    def _states_out(self, states: list[Tensor]) -> Any:
        return tuple(states)

    def _state_shapes(self, batch: int) -> list[tuple[int, int, int]]:
        ((count, n, size),) = super()._state_shapes(batch)
        return [(count, n, size), (count, n, self.hidden_size)]

    def _layer(self, input: Tensor, states: list[Tensor], weights: list[Any], **how: Any) -> Any:
        return (self._projected if self.proj_size else super()._layer)(input, states, weights, **how)

    def _projected(self, input: Tensor, states: list[Tensor], weights: list[Any], reverse: bool, lengths: Any) -> Any:
        """One direction of an LSTM whose hidden state is projected, step by step. Sak and others, 2014."""
        (h, c), (w_ih, w_hh, *biases, w_hr) = states, weights
        b_ih, b_hh = biases or (None, None)
        steps: list[Any] = [None] * input.shape[0]
        gates_in = F.linear(input, w_ih, b_ih)
        for t in reversed(range(len(steps))) if reverse else range(len(steps)):
            i, f, g, o = (gates_in[t] + F.linear(h, w_hh, b_hh)).chunk(4, -1)
            c_new = f.sigmoid() * c + i.sigmoid() * g.tanh()
            steps[t] = h_new = F.linear(o.sigmoid() * c_new.tanh(), w_hr)
            if lengths is not None:
                alive = (lengths > t).unsqueeze(1)
                steps[t] = dv.where(alive, h_new, 0.0)
                h_new, c_new = dv.where(alive, h_new, h), dv.where(alive, c_new, c)
            h, c = h_new, c_new
        return dv.stack(steps), h, c
