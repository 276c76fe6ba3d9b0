"""PyTorch's SummaryWriter: its constructor and methods, with tensorboardX for what goes into the events."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
import tensorboardX
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboardX.proto.tensor_pb2 import TensorProto
from tensorboardX.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboardX.summary import hparams, scalar

from dovetail import Tensor
from dovetail.errors import ShapeError, TypeMismatch, UnsupportedError, ValueRangeError
from dovetail_train.tensorboard_file import Files

__all__ = ["SummaryWriter"]

_TYPES = {"float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int16": 5, "int8": 6, "int64": 9, "bool": 10, "float16": 19}


def plain(value: Any) -> Any:
    """The value with NumPy arrays for tensors, also inside lists, tuples and dicts."""
    if isinstance(value, Tensor):
        value = value.detach().resolve_conj().resolve_neg().cpu()
        return (value.float() if _is_half(value) else value).numpy()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return type(value)(map(plain, value)) if type(value) in (list, tuple) else value


def _is_half(t: Tensor) -> bool:
    return bool(t.is_floating_point()) and t.element_size() < 4


class SummaryWriter(tensorboardX.SummaryWriter):
    """Write values into a folder that TensorBoard shows: ``runs/DATE_HOST`` followed by `comment`, unless `log_dir` is given.

    `purge_step` hides what a crashed run wrote from that step on; `max_queue` events wait at most, and `flush_secs` seconds;
    `filename_suffix` ends the name of the file. `flush` waits until all is on the disk. Tensors, NumPy arrays and
    numbers are taken alike. Also a context manager that closes at its end.

    >>> import dovetail as dv, tempfile
    >>> with tempfile.TemporaryDirectory() as folder, SummaryWriter(folder) as writer:
    ...     for step in range(3):
    ...         writer.add_scalar("loss", dv.tensor(1.0) / (step + 1), step)
    """

    def __init__(
        self, log_dir: Any = None, comment: str = "", purge_step: int | None = None, max_queue: int = 10, flush_secs: int = 120,
        filename_suffix: str = "",
    ) -> None:  # fmt: skip
        folder = None if not log_dir else os.fspath(log_dir)
        super().__init__(folder, comment, purge_step, max_queue, flush_secs, filename_suffix)
        self.log_dir = self.logdir
        self.max_queue, self.flush_secs, self.filename_suffix = max_queue, flush_secs, filename_suffix

    def _get_file_writer(self) -> Files:
        if self.all_writers is None or self.file_writer is None:
            self.file_writer = self._file(self.logdir)
            self.all_writers = {self.logdir: self.file_writer}
            if self.purge_step is not None:
                self.file_writer.add_event(Event(step=self.purge_step, file_version="brain.Event:2"))
                self.file_writer.add_event(Event(step=self.purge_step, session_log=SessionLog(status=SessionLog.START)))
                self.purge_step = None
        return self.file_writer

    def _file(self, folder: str) -> Files:
        return Files(folder, self._max_queue, self._flush_secs, self._filename_suffix)

    def get_logdir(self) -> str:
        """The folder."""
        return self.log_dir

    def add_scalar(
        self, tag: str, scalar_value: Any, global_step: Any = None, walltime: float | None = None, new_style: bool = False,
        double_precision: bool = False,
    ) -> None:  # fmt: skip
        """A number at a step, or text that is one.

        Raises an AssertionError for several, a ValueError for other text, and an UnsupportedError (NotImplementedError) for
        what is no number, array or tensor, and for ``new_style=True``.
        """
        if new_style:
            raise UnsupportedError("add_scalar", "new_style=True is not written", "TensorBoard shows the usual form alike", "leave it out")
        if not np.isscalar(scalar_value) and not isinstance(scalar_value, np.ndarray | Tensor):
            what = f"scalar_value is {type(scalar_value).__name__}"
            raise UnsupportedError("add_scalar", what, "expected a number, or an array or a tensor of one element", "")
        scalar_value = float(scalar_value) if isinstance(scalar_value, str | bytes) else scalar_value
        super().add_scalar(tag, plain(scalar_value), plain(global_step), walltime)

    def add_scalars(self, main_tag: str, tag_scalar_dict: dict[str, Any], global_step: Any = None, walltime: float | None = None) -> None:
        """Several numbers at a step in one picture, each a run of its own in a folder below."""
        now = time.time() if walltime is None else walltime
        self._get_file_writer()
        for tag, value in plain(tag_scalar_dict).items():
            folder = f"{self.logdir}/{main_tag.replace('/', '_')}_{tag}"
            file = self.all_writers.get(folder) or self.all_writers.setdefault(folder, self._file(folder))
            file.add_summary(scalar(main_tag, value), plain(global_step), now)

    def add_tensor(self, tag: str, tensor: Any, global_step: Any = None, walltime: float | None = None) -> None:
        """A tensor with all its elements."""
        a = np.ascontiguousarray(plain(tensor))
        if a.dtype.name not in _TYPES:
            raise TypeMismatch("add_tensor", f"elements of type {a.dtype} are not written", f"expected one of {', '.join(_TYPES)}")
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=n) for n in a.shape])
        proto = TensorProto(dtype=_TYPES[a.dtype.name], tensor_shape=shape, tensor_content=a.tobytes())
        about = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="tensor"))
        self._get_file_writer().add_summary(Summary(value=[Summary.Value(tag=tag, tensor=proto, metadata=about)]), global_step, walltime)

    def add_histogram(
        self, tag: str, values: Any, global_step: Any = None, bins: Any = "tensorflow", walltime: float | None = None,
        max_bins: int | None = None,
    ) -> None:  # fmt: skip
        """How the elements are distributed: in TensorFlow's bins, in a number of bins or by a rule of `numpy.histogram`."""
        super().add_histogram(tag, plain(values), plain(global_step), bins, walltime, max_bins)

    def add_histogram_raw(
        self, tag: str, min: Any, max: Any, num: Any, sum: Any, sum_squares: Any, bucket_limits: Any, bucket_counts: Any,
        global_step: Any = None, walltime: float | None = None,
    ) -> None:  # fmt: skip
        """A histogram that is ready: right edges of the bins, and how many fell in each."""
        if len(bucket_limits) != len(bucket_counts):
            raise _ValueShape("len(bucket_limits) != len(bucket_counts), see the document.")
        numbers = (plain(v) for v in (min, max, num, sum, sum_squares))
        limits, counts = (list(map(float, plain(v))) for v in (bucket_limits, bucket_counts))
        super().add_histogram_raw(tag, *(float(n) for n in numbers), limits, counts, plain(global_step), walltime)

    def add_image(
        self, tag: str, img_tensor: Any, global_step: Any = None, walltime: float | None = None, dataformats: str = "CHW"
    ) -> None:
        """A picture of ``dataformats`` CHW, HWC or HW: bytes, or floats from 0 to 1."""
        super().add_image(tag, plain(img_tensor), plain(global_step), walltime, dataformats)

    def add_images(
        self, tag: str, img_tensor: Any, global_step: Any = None, walltime: float | None = None, dataformats: str = "NCHW"
    ) -> None:
        """Several pictures beside each other."""
        super().add_images(tag, plain(img_tensor), plain(global_step), walltime, dataformats)

    def add_image_with_boxes(
        self, tag: str, img_tensor: Any, box_tensor: Any, global_step: Any = None, walltime: float | None = None, rescale: float = 1,
        dataformats: str = "CHW", labels: Any = None,
    ) -> None:  # fmt: skip
        """A picture with boxes ``(N, 4)`` of (x0, y0, x1, y1), and a label for each."""
        image, boxes, step = plain(img_tensor), plain(box_tensor), plain(global_step)
        super().add_image_with_boxes(tag, image, boxes, step, walltime, dataformats, labels, rescale=rescale)

    def add_figure(self, tag: str, figure: Any, global_step: Any = None, close: bool = True, walltime: float | None = None) -> None:
        """A figure of matplotlib, or several, as a picture."""
        super().add_figure(tag, figure, plain(global_step), close, walltime)

    def add_video(self, tag: str, vid_tensor: Any, global_step: Any = None, fps: float = 4, walltime: float | None = None) -> None:
        """Videos ``(N, T, C, H, W)``; needs the package moviepy."""
        super().add_video(tag, plain(vid_tensor), plain(global_step), fps, walltime)

    def add_audio(
        self, tag: str, snd_tensor: Any, global_step: Any = None, sample_rate: int = 44100, walltime: float | None = None
    ) -> None:
        """A sound ``(1, L)`` between -1 and 1; needs the package soundfile."""
        super().add_audio(tag, np.squeeze(plain(snd_tensor)), plain(global_step), sample_rate, walltime)

    def add_text(self, tag: str, text_string: str, global_step: Any = None, walltime: float | None = None) -> None:
        """A text, shown as Markdown."""
        super().add_text(tag, text_string, plain(global_step), walltime)

    def add_graph(self, model: Any, input_to_model: Any = None, verbose: bool = False, use_strict_trace: bool = True) -> None:
        """The graph of a run of the model on `input_to_model` (a tensor, or a tuple of them), by modules.

        Raises a TypeMismatch (TypeError) without an input: a run is recorded, not the code.
        """
        from dovetail_train.tensorboard_graph import graph_of

        if input_to_model is None:
            raise TypeMismatch("add_graph", "input_to_model is None", "expected what the model is called with", "a tensor or a tuple")
        given = input_to_model if isinstance(input_to_model, tuple | list) else (input_to_model,)
        made = graph_of(model, tuple(given))
        if verbose:
            print(made)
        self._get_file_writer().add_onnx_graph(made)

    def add_embedding(
        self, mat: Any, metadata: Any = None, label_img: Any = None, global_step: Any = None, tag: str = "default",
        metadata_header: Any = None,
    ) -> None:  # fmt: skip
        """Points ``(N, D)`` for the projector, with N labels and N square pictures ``(N, C, H, H)``."""
        super().add_embedding(plain(mat), plain(metadata), plain(label_img), plain(global_step), tag, metadata_header)

    def add_pr_curve(
        self, tag: str, labels: Any, predictions: Any, global_step: Any = None, num_thresholds: int = 127, weights: Any = None,
        walltime: float | None = None,
    ) -> None:  # fmt: skip
        """Precision over recall, of labels 0 or 1 and predicted probabilities."""
        super().add_pr_curve(tag, plain(labels), plain(predictions), plain(global_step), num_thresholds, plain(weights), walltime)

    def add_pr_curve_raw(
        self, tag: str, true_positive_counts: Any, false_positive_counts: Any, true_negative_counts: Any, false_negative_counts: Any,
        precision: Any, recall: Any, global_step: Any = None, num_thresholds: int = 127, weights: Any = None, walltime: float | None = None,
    ) -> None:  # fmt: skip
        """Precision over recall from counts that are ready."""
        counts = (true_positive_counts, false_positive_counts, true_negative_counts, false_negative_counts, precision, recall)
        super().add_pr_curve_raw(tag, *map(plain, counts), plain(global_step), num_thresholds, plain(weights), walltime)

    def add_mesh(
        self, tag: str, vertices: Any, colors: Any = None, faces: Any = None, config_dict: Any = None, global_step: Any = None,
        walltime: float | None = None,
    ) -> None:  # fmt: skip
        """Points ``(B, N, 3)`` with colours, or triangles of them."""
        super().add_mesh(tag, plain(vertices), plain(colors), plain(faces), config_dict, plain(global_step), walltime)

    def add_hparams(
        self, hparam_dict: dict[str, Any], metric_dict: dict[str, Any], hparam_domain_discrete: dict[str, Any] | None = None,
        run_name: str | None = None, global_step: Any = None,
    ) -> None:  # fmt: skip
        """Settings of a run and what it reached, in a folder below named `run_name` (the time by default).

        Raises a TypeMismatch (TypeError) for what is no dict.
        """
        if type(hparam_dict) is not dict or type(metric_dict) is not dict:
            raise TypeMismatch("add_hparams", "hparam_dict and metric_dict should be dictionary.")
        if hparam_domain_discrete:
            what = "hparam_domain_discrete is not written: tensorboardX has no place for it"
            raise UnsupportedError("add_hparams", what, "", "leave it out; the values of each run are written")
        given = {name: _number(name, value) for name, value in plain(hparam_dict).items()}
        folder = os.path.join(self._get_file_writer().get_logdir(), run_name or str(time.time()))
        with SummaryWriter(folder) as run:
            for summary in hparams(given, plain(metric_dict)):
                run.file_writer.add_summary(summary, plain(global_step))
            for tag, value in metric_dict.items():
                run.add_scalar(tag, value, global_step)


class _ValueShape(ShapeError, ValueError):
    """Lists of different lengths where PyTorch raises a ValueError."""


def _number(name: str, value: Any) -> Any:
    """A setting as TensorBoard keeps it: text, a truth value, a number, or None."""
    value = value.item() if isinstance(value, np.generic | np.ndarray) and value.size == 1 else value
    if value is not None and not isinstance(value, str | bool | int | float):
        what = f"{name} is {type(value).__name__}: value should be one of int, float, str, bool, or torch.Tensor"
        raise ValueRangeError("add_hparams", what)
    return value
