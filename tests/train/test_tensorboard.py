"""What SummaryWriter writes is read back: tags, steps, values, of tensors, arrays and numbers; and refusals."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorboardX")
from PIL import Image
from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.graph_pb2 import GraphDef
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

import dovetail as dv
from dovetail.utils.tensorboard import SummaryWriter

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def masked(data: bytes) -> int:
    value = int(crc32c(data))
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def events(folder: Any) -> list[Any]:
    """The events of the files in a folder (not below it), each record checked."""
    found = []
    for path in sorted(Path(folder).glob("events.out.tfevents.*")):
        data = path.read_bytes()
        while data:
            (length,), (check,) = struct.unpack("<Q", data[:8]), struct.unpack("<I", data[8:12])
            assert check == masked(data[:8])
            body, (check,) = data[12 : 12 + length], struct.unpack("<I", data[12 + length : 16 + length])
            assert check == masked(body)
            found.append(Event.FromString(body))
            data = data[16 + length :]
    return found


def values(folder: Any) -> dict[str, list[tuple[int, Any]]]:
    found: dict[str, list[tuple[int, Any]]] = {}
    for event in events(folder):
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value))
    return found


def test_a_trainer_writes_what_it_did_and_goes_on(tmp_path: Path) -> None:
    from dovetail_train import TensorBoard

    from .conftest import make

    class Stop:
        def step_end(self, state: Any) -> None:
            state.stop = state.step == 9

    def per_class(output: Any, target: Any) -> Any:
        return [float((output - target).abs().mean()), [1, dv.tensor(2.5)]]

    options = {"metrics": {"off": per_class}, "epochs": 3, "checkpoints": tmp_path / "kept"}
    make(callbacks=[TensorBoard(tmp_path / "events", every=2), Stop()], **options).fit()
    state = make(callbacks=[TensorBoard(tmp_path / "events", every=2)], **options).fit("auto")
    found = {tag: {step: v.simple_value for step, v in rows} for tag, rows in values(tmp_path / "events").items()}
    assert state.step == 18 and sorted(found["step/train_loss"]) == sorted(found["step/lr"]) == list(range(2, 19, 2))
    assert found["step/lr"][2] == pytest.approx(0.01) and found["step/lr"][14] == pytest.approx(0.005)
    for row in state.history:
        assert found["valid_loss"][row["step"]] == pytest.approx(row["valid_loss"], rel=1e-6)
        assert found["valid_off/0"][row["step"]] == pytest.approx(row["valid_off"][0], rel=1e-6)
        assert found["valid_off/1/1"][row["step"]] == 2.5
    starts = [event.step for event in events(tmp_path / "events") if event.session_log.status == 1]
    assert starts == [10]  # what a run that crashed wrote from there on is hidden
    with pytest.raises(ValueError, match="TensorBoard: every is 0; expected a number of steps from 1 on"):
        TensorBoard(tmp_path, every=0)


def test_scalars(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        for step in range(3):
            writer.add_scalar("loss/train", dv.tensor(0.5, requires_grad=True) * step, dv.tensor(step), walltime=7.0 + step)
        writer.add_scalar("array", np.float64(2.5))
        writer.add_scalar("half", dv.tensor([1.5]).half(), 4)
        writer.add_scalars("both", {"a": dv.tensor(1.0), "b": 2}, 5)
    found = values(tmp_path)
    assert [(step, value.simple_value) for step, value in found["loss/train"]] == [(0, 0.0), (1, 0.5), (2, 1.0)]
    assert [e.wall_time for e in events(tmp_path) if e.summary.value and e.summary.value[0].tag == "loss/train"] == [7.0, 8.0, 9.0]
    assert found["array"][0][1].simple_value == 2.5 and found["half"][0][1].simple_value == 1.5
    assert [(s, v.simple_value) for s, v in values(tmp_path / "both_a")["both"]] == [(5, 1.0)]
    assert [(s, v.simple_value) for s, v in values(tmp_path / "both_b")["both"]] == [(5, 2.0)]


def test_where_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with SummaryWriter(comment="_x") as writer:
        assert writer.log_dir == writer.get_logdir() and writer.log_dir.startswith("runs") and writer.log_dir.endswith("_x")
        writer.add_scalar("a", 1)
        writer.flush()
        assert values(writer.log_dir)["a"]
    with SummaryWriter("again", purge_step=7, filename_suffix=".mine") as writer:
        writer.add_scalar("a", 1, 8)
    assert [e.step for e in events("again") if e.session_log.status] == [7]
    assert all(path.name.endswith(".mine") for path in Path("again").iterdir())
    writer.add_scalar("a", 2, 9)  # a closed one opens again
    writer.close()
    assert [step for step, _ in values("again")["a"]] == [8, 9]


def test_histograms(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_histogram("weights", dv.arange(10.0, requires_grad=True), 1)
        writer.add_histogram("counts", dv.tensor([1, 1, 2]), 2, bins="auto")
        writer.add_histogram_raw("raw", 0, 2, 3, dv.tensor(3.0), 5.0, dv.tensor([1.0, 2.0]), [1, 2], 3)
        with pytest.raises(ValueError, match=r"len\(bucket_limits\) != len\(bucket_counts\)"):
            writer.add_histogram_raw("raw", 0, 2, 3, 3, 5, [1.0], [1, 2])
    found = values(tmp_path)
    histo = found["weights"][0][1].histo
    assert (histo.min, histo.max, histo.num, histo.sum, histo.sum_squares) == (0, 9, 10, 45, 285) and sum(histo.bucket) == 10
    assert found["counts"][0][1].histo.num == 3 and list(found["raw"][0][1].histo.bucket) == [1, 2]


def picture(value: Any) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(value.image.encoded_image_string)))


def test_pictures(tmp_path: Path) -> None:
    red = dv.zeros(3, 4, 6)
    red[0] = 1.0
    with SummaryWriter(tmp_path) as writer:
        writer.add_image("chw", red, 0)
        writer.add_image("hwc", (red * 255).to(dv.uint8).permute(1, 2, 0), 0, dataformats="HWC")
        writer.add_images("several", dv.stack([red, red]), 0)
        writer.add_image_with_boxes("boxes", red, dv.tensor([[0.0, 0.0, 3.0, 3.0]]), 0, labels=["cat"])
    found = values(tmp_path)
    for tag in ("chw", "hwc"):
        assert picture(found[tag][0][1]).shape == (4, 6, 3) and (picture(found[tag][0][1])[..., 0] == 255).all()
    assert picture(found["several"][0][1]).shape == (4, 12, 3) and picture(found["boxes"][0][1]).shape == (4, 6, 3)


def test_figure(tmp_path: Path) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(2, 1), dpi=50)
    with SummaryWriter(tmp_path) as writer:
        writer.add_figure("plot", figure, 3)
    assert picture(values(tmp_path)["plot"][0][1]).shape[:2] == (50, 100) and not pyplot.fignum_exists(figure.number)


def test_text_audio_tensors_and_curves(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_text("note", "**bold**", 1)
        writer.add_tensor("t", dv.arange(6.0).reshape(2, 3), 2)
        writer.add_pr_curve("pr", dv.tensor([0, 1, 1]), dv.tensor([0.1, 0.9, 0.4]), 3, num_thresholds=5)
        writer.add_audio("sound", dv.zeros(1, 100), 4, sample_rate=8000)
        with pytest.raises(TypeError, match="add_tensor: elements of type complex64 are not written"):
            writer.add_tensor("t", dv.zeros(2, dtype=dv.complex64))
    found = values(tmp_path)
    assert found["note/text_summary"][0][1].tensor.string_val[0] == b"**bold**"
    tensor = found["t"][0][1].tensor
    assert np.frombuffer(tensor.tensor_content, np.float32).tolist() == [0, 1, 2, 3, 4, 5] and [
        d.size for d in tensor.tensor_shape.dim
    ] == [2, 3]
    curve = np.array(found["pr"][0][1].tensor.float_val).reshape(6, 5)
    assert curve[0].tolist() == [2, 2, 1, 1, 0]  # true positives at thresholds 0, ¼ … 1
    assert found["sound"][0][1].audio.length_frames == 100 and found["sound"][0][1].audio.sample_rate == 8000


def test_a_killed_run_keeps_what_was_flushed(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\nfrom dovetail.utils.tensorboard import SummaryWriter\nw = SummaryWriter(sys.argv[1], max_queue=5)\n"
        "[w.add_scalar('a', i, i) for i in range(12)]\nw.flush()\nw.add_scalar('a', 12, 12)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=100, check=False)
    assert done.returncode == -9 and [step for step, _ in values(tmp_path)["a"]][:12] == list(range(12))


def test_graph(tmp_path: Path) -> None:
    net = dv.nn.Sequential(dv.nn.Linear(3, 4), dv.nn.Sequential(dv.nn.ReLU(), dv.nn.Linear(4, 2)))
    with SummaryWriter(tmp_path) as writer:
        writer.add_graph(net, dv.ones(5, 3))
        with pytest.raises(TypeError, match="add_graph: input_to_model is None"):
            writer.add_graph(net)
    (data,) = [e.graph_def for e in events(tmp_path) if e.graph_def]
    nodes = {node.name: node for node in GraphDef.FromString(data).node}
    assert {"input/input0", "Sequential/0/weight", "Sequential/1/1/bias", "Sequential/1/0/relu", "output/0"} <= set(nodes)
    last = nodes["Sequential/1/1/linear_1"]
    assert list(last.input) == ["Sequential/1/0/relu", "Sequential/1/1/weight", "Sequential/1/1/bias"]
    assert [d.size for d in last.attr["_output_shapes"].list.shape[0].dim] == [5, 2]
    assert all(name in nodes for node in nodes.values() for name in node.input)
    assert net.training and not net[0]._forward_hooks


def test_settings_and_results(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_hparams({"lr": 0.1, "name": "sgd", "big": True, "size": dv.tensor(4)}, {"hparam/loss": dv.tensor(0.25)}, run_name="one")
        with pytest.raises(TypeError, match=r"add_hparams: hparam_dict and metric_dict should be dictionary\."):
            writer.add_hparams([], {})
        with pytest.raises(ValueError, match="value should be one of int, float, str, bool, or torch.Tensor"):
            writer.add_hparams({"a": object()}, {})
        with pytest.raises(NotImplementedError, match="hparam_domain_discrete is not written"):
            writer.add_hparams({}, {}, {"a": [1]})
    found = values(tmp_path / "one")
    start = HParamsPluginData.FromString(found["_hparams_/session_start_info"][0][1].metadata.plugin_data.content).session_start_info
    assert start.hparams["lr"].number_value == 0.1 and start.hparams["name"].string_value == "sgd"
    assert start.hparams["big"].bool_value and start.hparams["size"].number_value == 4
    assert found["hparam/loss"][0][1].simple_value == 0.25


def test_embedding(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_embedding(dv.arange(6.0).reshape(3, 2), metadata=["a", "b", "c"], label_img=dv.ones(3, 1, 4, 4), global_step=1, tag="e")
    assert (tmp_path / "00001" / "e" / "tensors.tsv").read_text().split() == ["0.0", "1.0", "2.0", "3.0", "4.0", "5.0"]
    assert (tmp_path / "00001" / "e" / "metadata.tsv").read_text().split() == ["a", "b", "c"]
    assert "00001/e/tensors.tsv" in (tmp_path / "projector_config.pbtxt").read_text()


def test_refusals(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        with pytest.raises(NotImplementedError, match="add_scalar: new_style=True is not written"):
            writer.add_scalar("a", 1, new_style=True)
        with pytest.raises(AssertionError):
            writer.add_scalar("a", dv.ones(2))


def test_without_the_package() -> None:
    code = (
        "import sys\nsys.modules['tensorboardX'] = None\nimport dovetail as dv\n"
        "try:\n    from dovetail.utils.tensorboard import SummaryWriter\nexcept ModuleNotFoundError as e:\n    print(e)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout.strip() == (
        "utils.tensorboard: it writes through the package tensorboardX, which is not installed (import of tensorboardX halted; None in "
        "sys.modules); "
        'pip install "dovetail-train[tensorboard]"'
    ), done.stderr  # fmt: skip
