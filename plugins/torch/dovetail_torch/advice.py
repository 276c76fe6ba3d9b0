"""What to do about a name of PyTorch's that is not there, or that differs."""

from __future__ import annotations

import difflib
import importlib

from dovetail.absent import instead

__all__ = ["DIFFERENT", "remedy"]

# Beside `dovetail.absent.instead`, which knows PyTorch's modules: prefix of a name → what to do. The longest prefix counts.
_INSTEAD = {
    "functorch.compile": "torch.compile compiles functions",
    "torch.onnx": "use dovetail.onnx.export (pip install dovetail-onnx)",
    "torch.jit": "run the module as it is; dovetail.graph.trace records a run",
    "torch.sparse": "pip install dovetail-science, or use dense tensors",
    "torch.utils.data": "torchdata is not here: use a Dataset or a generator",
    "torch.cuda.CUDAGraph": "leave it out: calls run as they are written",
    "torch.cuda.nccl": 'distributed.init_process_group("nccl") is the way to it; is_nccl_available says whether it is there',
    "torch.nn.attention.flex_attention": "use nn.functional.scaled_dot_product_attention with attn_mask",
    "torch.nn.intrinsic": "there is no quantization yet",
    "torch.nn.quantized": "there is no quantization yet",
    "torch.qint32": "there is no quantization yet",
    "torch.qint8": "there is no quantization yet",
    "torch.quantize_per_channel": "there is no quantization yet",
    "torch.quantize_per_tensor": "there is no quantization yet",
    "torch.quint8": "there is no quantization yet",
    "torch.utils.bottleneck": "use dovetail.profiler, or Python's cProfile",
    "torch.utils.mobile_optimizer": "use dovetail_onnx.export, and a runtime of the device",
    "torchtext.legacy": "use the tokenizers and datasets of dovetail-text, and a DataLoader with a collate_fn",
    "torchtext.prototype": "models of dovetail.text.models generate: model.generate(ids, max_new_tokens, num_beams=…)",
    "torch._": "this is internal to PyTorch; use a public name",
    "torchvision.models.optical_flow": "RAFT is not here; datasets and flow_to_image are",
    "torchvision.models.quantization": "there is no quantization yet; use the model of the same name in torchvision.models",
    "torchvision.models.utils": "use torch.hub.load_state_dict_from_url; torchvision has not had this module since 0.13",
    "torchvision.models.video": "video models are not here; datasets and transforms of videos are",
    "torchvision.transforms.functional_pil": "use torchvision.transforms.functional; torchvision has not had this module since 0.17",
    "torchvision.transforms.functional_tensor": "use torchvision.transforms.functional; torchvision has not had this module since 0.17",
}

#: Name → how it differs; the whole table is the page "known differences" of the documentation.
DIFFERENT = {
    "torch.save": "writes safetensors, never pickle; PyTorch reads such a file with the safetensors package",
    "torch.load": "reads PyTorch's files by a closed list of types; whole pickled modules are refused",
    "torch.compile": "records the first call of a kind and replays it with the kernels of dovetail-cpu; its options change nothing",
    "torch.jit.script": "returns the module as it is",
    "torch.backends.cudnn.benchmark": "is kept and has no effect",
}


def remedy(name: str) -> str:
    """Say what to use in place of a name, or the nearest names that are there."""
    top, _, below = name.partition(".")
    if top == "torch" and (found := instead(below)):
        return found
    known = [prefix for prefix in _INSTEAD if f"{name}.".startswith(f"{prefix}." if not prefix.endswith("_") else prefix)]
    if known:
        return _INSTEAD[max(known, key=len)]
    from .finder import HOMES

    owner, _, last = name.rpartition(".")
    top, dot, rest = owner.partition(".")
    try:
        names = dir(importlib.import_module(f"{HOMES[top][0]}{dot}{rest}"))
    except (ImportError, KeyError):
        return "see the page of known differences for what there is"
    offered = {n.lower(): n for n in names if not n.startswith("_")} | {n: n for n in names if not n.startswith("_")}
    near = list(dict.fromkeys(offered[n] for word in (last, last.lower()) for n in difflib.get_close_matches(word, offered, 3, 0.7)))[:3]
    return f"nearest: {', '.join(near)}" if near else "see the page of known differences for what there is"
