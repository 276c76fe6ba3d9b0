"""Where entries of PyTorch's table of operators are answered otherwise, or not at all, and why."""

from __future__ import annotations

__all__ = ["ABSENT", "KNOWN"]

_PARTS = "a part of PyTorch's own implementation that programs do not call"
_JIT = "compiles C++ for a GPU"
_MASKED = "the namespace masked is not there: use masked_fill and the plain function"

# names of entries, or how they begin, that Dovetail does not have
ABSENT: dict[str, str] = {
    "__rdiv__": "of Python 2",
    "_batch_norm_with_update": _PARTS,
    "_chunk_cat": _PARTS,
    "_native_batch_norm_legit": _PARTS,
    "_segment_reduce": _PARTS,
    "_softmax_backward_data": _PARTS,
    "_unsafe_masked_index": _PARTS,
    "_upsample_bilinear2d_aa": _PARTS,
    "chalf": "there are no tensors of complex32",
    "hash_tensor": "a checksum of the bytes that no program compares across libraries",
    "jiterator_": _JIT,
    "masked.": _MASKED,
    "max_pool2d_with_indices_backward": _PARTS,
    "native_batch_norm": _PARTS,
    "native_dropout_backward": _PARTS,
    "native_group_norm": _PARTS,
    "native_layer_norm": _PARTS,
    "slice": "an entry of torch.ops: write x[a:b]",
    "torch.ops.": _PARTS,
}

_BOTH = "a number on both sides: PyTorch's descriptor refuses it, which no expression reaches"
_OVERLAP = "an out= that shares memory with an input, or with itself, is computed first and then written; PyTorch refuses it"
_TIES = "which index stands for equal elements is not specified"
_BITS = "draws are written in the order of the indices, PyTorch's in that of the memory"
_EMPTY = "PyTorch answers with the empty out=, and leaves the result in another tensor"
_COMPLEX = "not for complex numbers, and says so"
_SIZE = "PyTorch resizes its tensor in place where the sum broadcasts it; refused"
_LIES = "PyTorch writes as though out= were contiguous: what it holds afterwards is in another order"
_NONE = "the call returns out=, PyTorch's None"
_ZEROS = "a tensor on which the result does not depend has a gradient of zeros, PyTorch's none"
_BESSEL = "SciPy's, which near the zeros is the more exact"
_POLES = "infinite at the poles, where PyTorch's float32 is only large"
_PART = "products of half precision are refused, in which PyTorch's is not finite"

# entry: kinds of calls that differ ("all" for every kind), and why
KNOWN: dict[str, tuple[str, str]] = {
    "__radd__": ("error", _BOTH),
    "__rand__": ("error", _BOTH),
    "__rmul__": ("error", _BOTH),
    "__ror__": ("error", _BOTH),
    "__rxor__": ("error", _BOTH),
    "addbmm": ("in-place", _SIZE),
    "addr": ("function noncontiguous method in-place out", "not for bools, and says so"),
    "arange": ("error", "PyTorch refuses a fractional step where out= holds integers"),
    "argsort": ("function noncontiguous method", _TIES),
    "as_strided_scatter": ("gradient noncontiguous", "the gradient is that of finite differences; a copy is contiguous"),
    "bernoulli": ("out", _BITS),
    "cat": ("error gradient", _OVERLAP),
    "cdist": ("gradient", "an empty leaf that nothing depends on has no gradient, PyTorch's one of zeros"),
    "clamp_max": ("function noncontiguous method in-place out", "not for bools, and says so"),
    "clamp_min": ("function noncontiguous method in-place out", "not for bools, and says so"),
    "complex": ("function noncontiguous method out", "there are no tensors of complex32; complex64 stands for it"),
    "cov": ("function noncontiguous method gradient", "weights of float32 for an input of float64: their sums round in another order"),
    "fft.ihfft2": ("out", _EMPTY),
    "fft.ihfftn": ("out", _EMPTY),
    "gather": ("error", _OVERLAP),
    "histc": ("function noncontiguous method out", "PyTorch finds the bins of float16 in float16; here in float32"),
    "index_select": ("error", _OVERLAP),
    "istft": ("gradient", "a window on which the result does not depend has a gradient of zeros, PyTorch's none"),
    "kthvalue": ("function noncontiguous method out error", _TIES),
    "logaddexp": ("function noncontiguous method out", _COMPLEX),
    "logcumsumexp": ("function noncontiguous method out", _COMPLEX),
    "masked_select": ("error", _OVERLAP),
    "matmul": ("out", "PyTorch refuses an out= of the right shape that lies otherwise"),
    "matrix_exp": ("function noncontiguous method", _PART),
    "linalg.householder_product": ("gradient", _ZEROS),
    "linalg.norm": ("gradient", _ZEROS),
    "linalg.norm[subgradients_at_zero]": ("gradient", _ZEROS),
    "median": ("function noncontiguous method", _TIES),
    "nanmedian": ("function noncontiguous method", _TIES),
    "mode": ("function noncontiguous method out", _TIES),
    "narrow_copy": ("out error", _LIES + "; and a dimension out of range is an IndexError here, PyTorch's an assertion"),
    "nn.functional.avg_pool3d": ("out", _LIES),
    "nn.functional.gelu": ("out", "PyTorch leaves a bfloat16 out= as it was where that lies otherwise"),
    "nn.functional.linear": ("out", "PyTorch refuses an out= of another shape, which is resized here"),
    "nn.functional.multi_head_attention_forward": ("function noncontiguous", "scores rounded to half types decide between two keys"),
    "nn.functional.pdist": ("gradient", "an empty leaf that nothing depends on has no gradient, PyTorch's one of zeros"),
    "nn.functional.linear_cross_entropy": ("noncontiguous", "PyTorch's scores of bfloat16 depend on how the input lies"),
    "nonzero": ("out", "the tensors of as_tuple=True can be written into out=; PyTorch refuses it"),
    "normal": ("out", _BITS),
    "normal[number_mean]": ("out", _BITS),
    "ormqr": ("gradient", _ZEROS),
    "pca_lowrank": ("function noncontiguous", "the signs of singular vectors are arbitrary"),
    **{f"polygamma[polygamma_n_{n}]": ("function noncontiguous method out", _POLES) for n in range(5)},
    "sort": ("function noncontiguous method out", _TIES),
    "special.bessel_j0": ("function noncontiguous out", _BESSEL),
    "special.bessel_y1": ("function noncontiguous out", _BESSEL),
    "special.polygamma[special_polygamma_n_0]": ("function noncontiguous out", _POLES),
    "svd": ("function noncontiguous method", "the signs of singular vectors are arbitrary"),
    "view_as_complex": ("function noncontiguous method", "there are no tensors of complex32"),
    "split_with_sizes_copy": ("out", _NONE),
    "take": ("error", _OVERLAP),
    "topk": ("function noncontiguous method out", _TIES),
    "unbind_copy": ("out", _NONE),
}
