"""Rows of the losses."""

import numpy as np

from .row import I, Row, T

_F = "nn.functional."
_BAD = ([], dict(reduction="foo"), ValueError, "foo is not a valid value for reduction")


def over(f):
    """A loss with its reduction, from the loss of each element."""

    def run(*args, reduction="mean", **kwargs):
        each = f(*args, **kwargs)
        return each if reduction == "none" else each.mean() if reduction == "mean" else each.sum()

    return run


def log_softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return np.log(e / e.sum(1, keepdims=True))


def entropy(x, t, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0, given=log_softmax):
    w = np.ones(x.shape[1]) if weight is None else weight
    logp = np.moveaxis(given(x), 1, -1)
    hot = np.eye(x.shape[1])[np.where(t == ignore_index, 0, t)] * (t != ignore_index)[..., None]
    q = ((1 - label_smoothing) * hot + label_smoothing / x.shape[1] * hot.sum(-1, keepdims=True)) * w
    each = -(q * logp).sum(-1)
    return each if reduction == "none" else each.sum() / ((hot * w).sum() if reduction == "mean" else 1)


def likelihood(x, t, **kw):
    return entropy(x, t, given=lambda v: v, **kw)


def huber(d, delta):
    return np.where(abs(d) < delta, d * d / 2, delta * (abs(d) - delta / 2))


def logits(x, t, weight=1.0, pos_weight=1.0):
    return weight * ((1 - t) * x + (1 + (pos_weight - 1) * t) * np.log1p(np.exp(-x)))


def norm(d):
    return np.sqrt(((d + 1e-6) ** 2).sum(-1))


_P = dict(low=0.1, high=0.9)
_O = "PyTorch is the oracle in tests/parity"
_ECE = [
    ([T(2, 3), I(2, low=5, high=6)], {}, IndexError, "Target 5 is out of bounds."),
    ([T(2, 3), T(2)], {}, RuntimeError, "expected target dtype to be Long or Byte, but got Double"),
    ([T(2, 3), I(3, high=3)], {}, ValueError, "Expected input batch_size (2) to match target batch_size (3)."),
    ([T(2, 3), I(2, high=3)], dict(weight=T(4, grad=False)), RuntimeError, "weight tensor should be defined either for all 3 classes"),
    ([T(2, 3), I(2, high=3)], dict(label_smoothing=1.5), RuntimeError, "label_smoothing must be between 0.0 and 1.0"),
    ([T(2, 3), T(2, 4)], {}, RuntimeError, "multi-target not supported"),
]
_SHAPES = [([T(2, 3), T(2, 4)], {}, RuntimeError, "must match the size of tensor b")]
_W = T(4, positive=True, grad=False)


def both(name, args, f, errors=(), **kw):
    """A row for the mean, one for each element."""
    bad = (args, *_BAD[1:])
    call, plain = _F + name, {k: v for k, v in kw.items() if k in ("covers", "why", "grad2")}
    kwargs = {k: v for k, v in kw.items() if k not in plain}
    yield Row(name, args, kwargs, call=call, ref=over(f), errors=[bad, *errors], promote=None, **plain)
    yield Row(name, args, dict(kwargs, reduction="none"), call=call, ref=over(f), promote=None, name="each", **plain)


ROWS = [
    *both("mse_loss", [T(3, 4), T(3, 4)], lambda x, t: (x - t) ** 2, _SHAPES),
    *both("l1_loss", [T(3, 4), T(3, 4)], lambda x, t: abs(x - t), _SHAPES),
    *both("smooth_l1_loss", [T(3, 4), T(3, 4)], lambda x, t, beta: huber(x - t, beta) / beta,
          [([T(2), T(2)], dict(beta=-1), RuntimeError, "does not support negative values for beta")], beta=0.7),
    *both("huber_loss", [T(3, 4), T(3, 4)], lambda x, t, delta: huber(x - t, delta),
          [([T(2), T(2)], dict(delta=0), RuntimeError, "does not support non-positive values for delta")], delta=0.7),
    *both("binary_cross_entropy", [T(3, 4, **_P), T(3, 4, **_P)], lambda x, t: -(t * np.log(x) + (1 - t) * np.log(1 - x)),
          [([T(2, 3, **_P), T(3, **_P)], {}, ValueError, "Using a target size ([3]) that is different"),
           ([T(2, 3, low=2, high=3), T(2, 3)], {}, RuntimeError, "all elements of input should be between 0 and 1")]),
    *both("binary_cross_entropy_with_logits", [T(3, 4), T(3, 4, **_P)], logits,
          [([T(2, 3), T(3)], {}, ValueError, "must be the same as input size")], weight=_W, pos_weight=_W),
    *both("kl_div", [T(3, 4), T(3, 4, **_P)], lambda x, t: t * (np.log(t) - x), _SHAPES),
    *both("poisson_nll_loss", [T(3, 4), T(3, 4, positive=True)], lambda x, t: np.exp(x) - t * x, _SHAPES),
    *both("gaussian_nll_loss", [T(3, 4), T(3, 4), 0.7], lambda x, t, v: 0.5 * (np.log(v) + (x - t) ** 2 / v),
          [([T(2, 3), T(2, 3), -1.0], {}, ValueError, "var has negative entry")]),
    Row("gaussian_nll_loss", [T(3, 4), T(3, 4), T(1, 4, positive=True)], call=f"{_F}gaussian_nll_loss", promote=None, sync=True,
        name="one variance", ref=lambda x, t, v: (0.5 * (np.log(v) + (x - t) ** 2 / v)).mean(),
        errors=[([T(3, 4), T(3, 4), T(1, 1, positive=True)], {}, ValueError, "incorrect size")]),
    *both("soft_margin_loss", [T(3, 4), T(3, 4, grad=False)], lambda x, t: np.log1p(np.exp(-x * t)), _SHAPES),
    *both("hinge_embedding_loss", [T(3, 4), I(3, 4, low=1, high=2)], lambda x, t: x + 0.0 * np.maximum(1 - x, 0), _SHAPES),
    *both("margin_ranking_loss", [T(3, 4), T(3, 4), I(3, 4, low=1, high=2)], lambda a, b, t, margin: np.maximum(-t * (a - b) + margin, 0),
          [([T(2, 3), T(2, 3), T(2)], {}, RuntimeError, "should have same dimension")], margin=0.3),
    *both("triplet_margin_loss", [T(3, 4), T(3, 4), T(3, 4)], lambda a, p, n: np.maximum(norm(a - p) - norm(a - n) + 1, 0),
          [([T(2, 3)] * 3, dict(margin=-1.0), ValueError, "margin must be greater than 0")]),
    *both("triplet_margin_with_distance_loss", [T(3, 4), T(3, 4), T(3, 4)],
          lambda a, p, n, margin: np.maximum(norm(a - p) - norm(a - n) + margin, 0),
          [([T(2, 3)] * 3, dict(margin=-1.0), ValueError, "margin must be greater than 0"),
           ([T(2, 3), T(2, 3), T(3)], {}, RuntimeError, "expected to have the same number of dimensions")], margin=2.0),
    *both("multilabel_soft_margin_loss", [T(3, 4), T(3, 4, **_P)],
          lambda x, t: (t * np.log1p(np.exp(-x)) + (1 - t) * np.log1p(np.exp(x))).mean(-1), _SHAPES),
    *both("cosine_embedding_loss", [T(3, 4), T(3, 4), I(3, low=1, high=2)],
          lambda a, b, t: 1 - (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1)),
          [([T(2, 3), T(2, 3), T(2, 1)], {}, RuntimeError, "multi-target not supported")]),
    Row("multi_margin_loss", [T(3, 4), I(3, high=4)], dict(p=2), call=f"{_F}multi_margin_loss", why=_O, promote=None, sync=True,
        errors=[([T(2, 3), I(2, high=3), 3], {}, ValueError, "only p == 1 and p == 2 supported"),
                ([T(2, 3), I(2, low=5, high=6)], {}, RuntimeError, "target out of range")]),
    Row("multilabel_margin_loss", [T(3, 4), I(3, 4, high=4)], call=f"{_F}multilabel_margin_loss", why=_O, promote=None, sync=True,
        errors=[([T(2, 3), I(2, high=3)], {}, RuntimeError, "inconsistent target size")]),
    Row("cross_entropy", [T(4, 5), I(4, high=5)], call=f"{_F}cross_entropy", ref=entropy, covers=("cross_entropy_grad",), promote=None,
        errors=_ECE),
    *[Row("cross_entropy", [T(3, 4, 2), I(3, 2, high=4)], dict(reduction=r, label_smoothing=s, weight=_W, ignore_index=1),
          call=f"{_F}cross_entropy", ref=entropy, promote=None, name=f"{r} {s}") for r in ("none", "mean", "sum") for s in (0.0, 0.2)],
    Row("cross_entropy", [T(3, 4), T(3, 4, **_P)], dict(label_smoothing=0.1), call=f"{_F}cross_entropy", promote=None, name="probabilities",
        ref=lambda x, t, label_smoothing: -((0.9 * t + 0.1 / 4) * log_softmax(x)).sum(1).mean()),
    Row("nll_loss", [T(4, 5), I(4, high=5)], call=f"{_F}nll_loss", ref=likelihood, promote=None,
        errors=[([T(2, 3), I(2, low=5, high=6)], {}, IndexError, "Target 5 is out of bounds.")]),
    *[Row("nll_loss", [T(3, 4, 2), I(3, 2, high=4)], dict(reduction=r, weight=_W, ignore_index=1), call=f"{_F}nll_loss", ref=likelihood,
          promote=None, name=r) for r in ("none", "mean", "sum")],
    Row("linear_cross_entropy", [T(4, 3), T(5, 3), I(4, high=5)], call=f"{_F}linear_cross_entropy", promote=None,
        ref=lambda x, w, t: entropy(x @ w.T, t), errors=[([T(4, 3), T(5, 3), I(3, high=5)], {}, ValueError, "batch_size"),
                ([T(2, 4, 3), T(5, 3), I(2, 4, high=5)], {}, RuntimeError, "expected (N, F), (C, F) and (N,)")]),
    Row("linear_cross_entropy", [T(4, 3), T(5, 2, 3), I(4, 2, high=5)], dict(linear_bias=T(5, 2)), call=f"{_F}linear_cross_entropy",
        promote=None, name="many", ref=lambda x, w, t, linear_bias: entropy(np.einsum("nf,cdf->ncd", x, w) + linear_bias, t)),
    Row("ctc_loss", [T(5, 2, 4), I(2, 3, low=1, high=4), (5, 4), (3, 2)], call=f"{_F}ctc_loss", promote=None,
        why=_O + " and test_ctc.py: its gradient is that by the logits of a log-softmax before it", grad=False, covers=("ctc", "ctc_grad"),
        errors=[([T(0, 2, 3), I(2, 0, high=1), (0, 0), (0, 0)], {}, RuntimeError, "log_probs tensor must not be empty"),
                ([T(4, 2, 3), I(2, 2, low=1, high=3), (4, 5), (2, 2)], {}, RuntimeError, "to have value at most 4"),
                ([T(4, 2, 3), I(2, 2, low=1, high=3), (4,), (2, 2)], {}, RuntimeError, "must be of size batch_size"),
                ([T(4, 2, 3), I(2, 2, low=1, high=3), (4, 4), (2, 2), 3], {}, RuntimeError, "blank must be in label range")]),
]  # fmt: skip
