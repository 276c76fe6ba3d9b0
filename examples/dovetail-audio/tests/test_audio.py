"""What the conformance kit cannot know: values, errors, and that the network listens."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail as dv
from dovetail import datasets, models, plugins
from dovetail.errors import DecodeError, HashMismatch, ShapeError, ValueRangeError
from dovetail.io import decode
from dovetail.utils.data import DataLoader, default_collate
from dovetail_audio.clips import Clip
from dovetail_audio.datasets import WORDS
from dovetail_audio.files import write
from dovetail_audio.ops import mu_law
from dovetail_audio.transforms import LogMel, filter_bank, hertz, mel


def tone(count: int = 400, rate: int = 8000, frequency: float = 440.0) -> Clip:
    return Clip(dv.sin(dv.arange(count) * (2 * np.pi * frequency / rate)) * 0.5, rate)


# --- files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("subtype", "error"), [("PCM_16", 1e-4), ("PCM_24", 1e-6), ("FLOAT", 0.0), ("ULAW", 0.02)])
def test_what_is_written_is_read(tmp_path, subtype, error):
    write(tmp_path / "a.wav", tone(), subtype)
    clip = decode(tmp_path / "a.wav")
    assert isinstance(clip, Clip) and clip.rate == 8000 and clip.seconds == 0.05
    assert (clip.waveform - tone().waveform).abs().max() <= error


def test_channels_are_kept(tmp_path):
    write(tmp_path / "a.wav", Clip(dv.stack([tone().waveform, -tone().waveform]), 8000))
    clip = decode(tmp_path / "a.wav")
    assert clip.waveform.shape == (2, 400)
    assert clip.mono().waveform.abs().max() < 1e-4


def test_flac_is_registered_by_code(tmp_path):
    assert plugins.formats.get(".flac").plugin.name == "audio"
    write(tmp_path / "a.flac", tone())
    assert decode(tmp_path / "a.flac").waveform.shape == (400,)


def test_limits_hold_before_anything_is_read(tmp_path):
    write(tmp_path / "a.wav", tone(), "FLOAT")
    assert decode(tmp_path / "a.wav", max_elements=400).waveform.shape == (400,)
    with pytest.raises(DecodeError, match="declares 400 samples of 1 channels; at most 399 values are allowed"):
        decode(tmp_path / "a.wav", max_elements=399)


@pytest.mark.parametrize("cut", [0, 3, 7, 20, 43, 44, 100, -1])
def test_a_file_that_is_cut_off_is_an_error(tmp_path, cut):
    write(tmp_path / "a.wav", tone())
    data = (tmp_path / "a.wav").read_bytes()[:cut]
    with pytest.raises(DecodeError):
        decode(data, ".wav")


# --- batches -------------------------------------------------------------------------------------------------------


def test_clips_are_filled_to_the_longest():
    batch, labels = default_collate([(tone(3), 0), (tone(5), 1)])
    assert batch.waveforms.shape == (2, 5) and batch.lengths.tolist() == [3, 5] and labels.tolist() == [0, 1]
    assert batch.waveforms[0, 3:].tolist() == [0, 0]


def test_clips_that_do_not_fit_are_refused():
    with pytest.raises(ValueRangeError, match="expected one rate"):
        default_collate([tone(3, 8000), tone(3, 16000)])
    with pytest.raises(ShapeError, match="expected as many in each"):
        default_collate([tone(3), Clip(dv.zeros(2, 3), 8000)])


def test_resampling_keeps_the_tone():
    clip = tone(1600, 16000).resampled(8000)
    assert clip.waveform.shape == (800,) and (clip.waveform - tone(800).waveform).abs().max() < 0.01


# --- features ------------------------------------------------------------------------------------------------------


def test_logmel_is_the_formula():
    x = np.random.RandomState(0).standard_normal(1000)
    got = LogMel(8000, 20)(dv.from_numpy(x.astype("float32"))).numpy()
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(200) / 200)
    frames = np.stack([x[t : t + 200] * window for t in range(0, 1000 - 200 + 1, 80)])
    power = abs(np.fft.rfft(frames, 256)) ** 2
    np.testing.assert_allclose(got, np.log(power @ filter_bank(20, 256, 8000).T + 1e-6).T, rtol=1e-4, atol=1e-4)


def test_mel():
    assert mel(0) == 0 and abs(mel(1000) - 1000) < 0.1
    np.testing.assert_allclose(hertz(mel(np.array([50.0, 3000.0]))), [50, 3000])
    bank = filter_bank(40, 256, 8000)
    assert bank.shape == (40, 129) and (bank >= 0).all() and (bank <= 1).all() and (bank.sum(1) > 0).all()


def test_a_tone_is_loudest_in_its_band():
    band = LogMel()(tone(800, frequency=1000.0)).mean(-1).argmax()
    middle = hertz(np.linspace(0, mel(4000), 42))[1 + int(band)]
    assert abs(middle - 1000) < 60


def test_short_and_odd_input():
    assert LogMel()(dv.zeros(5)).shape == (40, 1)
    assert LogMel().frames(dv.tensor([5, 200, 279, 280])).tolist() == [1, 1, 1, 2]
    with pytest.raises(ShapeError, match=r"expected \(…, samples\)"):
        LogMel()(dv.tensor(1.0))
    with pytest.raises(ValueRangeError, match="expected 8000"):
        LogMel()(tone(rate=16000))


def test_gradients_reach_the_waveform():
    x = dv.randn(400, requires_grad=True)
    LogMel()(x).sum().backward()
    assert x.grad.abs().min() >= 0 and bool(dv.isfinite(x.grad).all()) and x.grad.abs().sum() > 0


def test_the_published_hook():
    assert plugins.call("audio/window", name="ones", length=3).tolist() == [1, 1, 1]
    np.testing.assert_allclose(plugins.call("audio/window", name="hamming", length=64), np.hamming(65)[:-1], atol=1e-12)
    with pytest.raises(ValueRangeError, match="no plugin knows the window 'kaiser'"):
        LogMel(window="kaiser")


# --- the kernel ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_kernel_is_the_reference_to_the_last_bit(dtype):
    from dovetail_audio.kernels import frac

    turns = (np.random.RandomState(0).standard_normal((3, 20000)) * 9).astype(dtype)
    turns[0, :4] = np.nan, 0.5, -1.5, 3.0
    expected = turns - np.trunc(turns)
    np.testing.assert_array_equal(frac.forward(turns), expected)
    assert frac.forward(turns.T) is NotImplemented
    x = dv.from_numpy(turns).requires_grad_()
    out = dv.frac(x)
    np.testing.assert_array_equal(out.detach().numpy(), expected)
    out.sum().backward()
    assert (x.grad == 1).all()


# --- the op, and ONNX ----------------------------------------------------------------------------------------------


def test_mu_law():
    x = dv.tensor([-1.0, -0.25, 0.0, 0.004, 1.0])
    np.testing.assert_allclose(mu_law(x).numpy(), np.sign(x) * np.log1p(255 * abs(x.numpy())) / np.log(256), rtol=1e-6)
    assert mu_law(x).dtype is dv.float32 and float(mu_law(dv.tensor(0.5), 15.0)) == pytest.approx(np.log(8.5) / np.log(16))
    y = dv.tensor([-0.5, 0.1, 0.9], dtype=dv.float64, requires_grad=True)
    assert dv.autograd.gradcheck(mu_law, (y,)) and dv.autograd.gradgradcheck(mu_law, (y,))


class Telephone(dv.nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = dv.nn.Linear(3, 2)

    def forward(self, x):
        return mu_law(self.mix(x).tanh(), 15.0)


def test_mu_law_goes_through_onnx_and_comes_back(tmp_path):
    """Written as one node of the plugin's domain, compared before it is written, read with its gradient, and written again."""
    onnx = pytest.importorskip("dovetail_onnx")
    model, x = Telephone().eval(), dv.randn(4, 3)
    assert onnx.explain_export(model, x) == []
    proto = onnx.export(model, x, tmp_path / "m.onnx", dynamic_shapes={"x": {0: "n"}})
    node = proto.graph.node[-1]
    assert (node.op_type, node.domain, node.attribute[0].f) == ("MuLaw", "dovetail.audio", 15.0)
    back = onnx.load(tmp_path / "m.onnx")
    longer = dv.randn(7, 3)
    np.testing.assert_allclose(back(longer).detach().numpy(), model(longer).detach().numpy(), rtol=1e-6, atol=1e-6)
    for module in (model, back):
        module(longer).sum().backward()
    assert (dict(back.named_parameters())["mix.weight"].grad - model.mix.weight.grad).abs().max() < 1e-5
    assert [n.op_type for n in onnx.export(back, x).graph.node] == [n.op_type for n in proto.graph.node]


def test_a_lowering_that_says_something_else_is_found(monkeypatch):
    onnx = pytest.importorskip("dovetail_onnx")
    from dovetail_audio import lowerings

    monkeypatch.setattr(lowerings, "mu_law_node", lambda g, input, mu: g.node("MuLaw", input, domain="dovetail.audio", mu=2 * mu))
    plugins.reset()  # what was imported is kept
    with pytest.raises(onnx.ExportMismatch, match="dovetail at the traced sizes: output 'output' differs"):
        onnx.export(Telephone(), dv.randn(4, 3))
    monkeypatch.undo()
    plugins.reset()


# --- the network ---------------------------------------------------------------------------------------------------


def test_the_dataset_follows_from_its_seed():
    one, two, other = (datasets.load("audio/commands", split="train", seed=seed) for seed in (0, 0, 1))
    assert len(one) == 1600 and len(datasets.load("audio/commands", split="test")) == 400
    assert one[7][0].waveform.tolist() == two[7][0].waveform.tolist() != other[7][0].waveform.tolist()
    assert [label for _, label in (one[i] for i in range(8))] == list(range(8)) and one[-1][1] == 7
    test = datasets.load("audio/commands", split="test")
    assert test[7][0].waveform.tolist() != one[7][0].waveform.tolist()


def test_the_shipped_weights_are_as_good_as_declared():
    from dovetail_audio.recipe import accuracy

    entry = plugins.weights.get("audio/wav2small@v1")
    found = accuracy(models.create("audio/wav2small", weights="v1"))
    assert found >= 0.95 and abs(found - entry.metrics["accuracy"]) < 0.005


def test_silence_behind_a_clip_changes_nothing():
    model, logmel = models.create("audio/wav2small", weights="v1").eval(), LogMel()
    clips = [clip for clip, _ in DataLoader(datasets.load("audio/commands", split="test", count=6), batch_size=None)]
    with dv.no_grad():
        together = model(*logmel(default_collate(clips)))
        alone = dv.cat([model(*logmel(default_collate([clip]))) for clip in clips])
    assert (together - alone).abs().max() < 1e-3


def test_weights_are_refused_for_another_shape_or_another_file():
    with pytest.raises(ValueRangeError, match=r"width given with the weights audio/wav2small@v1"):
        models.create("audio/wav2small", weights="v1", width=8)
    entry = plugins.weights.get("audio/wav2small@v1")
    entry.fields["sha256"] = "0" * 64  # an entry is its caller's own, and the registry's stays as it is
    with pytest.raises(HashMismatch, match="install dovetail-audio again"):
        plugins.models.load("audio/wav2small")(weights=entry)
    assert models.create("audio/wav2small", weights="v1")


def test_listen_says_the_word(tmp_path):
    from click.testing import CliRunner

    from dovetail.cli.main import dovetail as program

    heard = []
    for index in range(8):
        clip, label = datasets.load("audio/commands", split="test")[index]
        write(tmp_path / "word.wav", clip.resampled(16000))
        result = CliRunner().invoke(program, ["listen", str(tmp_path / "word.wav")])
        assert result.exit_code == 0, result.output
        heard.append(result.output.startswith(f"{WORDS[label]} ("))
    assert sum(heard) >= 7
    (tmp_path / "word.wav").write_bytes(b"RIFF")
    result = CliRunner().invoke(program, ["listen", str(tmp_path / "word.wav")])
    assert result.exit_code == 1 and "libsndfile says" in result.output


def test_doctor():
    from dovetail_audio.hooks import doctor

    assert [(what, well) for what, well, _ in doctor()] == [("libsndfile", True), ("audio/wav2small@v1", True)]


def test_a_training_that_learns_rises(tmp_path, monkeypatch):
    from types import SimpleNamespace

    from dovetail_audio.hooks import train_fit_end, train_step_end

    monkeypatch.setenv("DOVETAIL_AUDIO_TRAINING", str(tmp_path / "run.wav"))
    for loss in (1.0, 0.5, 0.25, float("nan")):
        train_step_end(SimpleNamespace(train_loss=loss))
    train_fit_end()
    clip = decode(tmp_path / "run.wav")
    crossings = [int((tone[1:].sign() != tone[:-1].sign()).sum()) for tone in clip.waveform.split(400)]
    assert clip.rate == 8000 and [round(n / 22) for n in crossings] == [1, 2, 4, 0]
