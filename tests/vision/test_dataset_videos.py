"""Videos: frames by their numbers, clips, sound, and how damaged files are met."""

from __future__ import annotations

import random

import numpy as np
import pytest

pytest.importorskip("av")

import dovetail
from dovetail.errors import FormatError, RangeError, TypeMismatch, ValueRangeError
from dovetail_vision import datasets
from dovetail_vision.datasets import _video, tiny
from dovetail_vision.datasets._errors import DamagedFile, MissingFiles, MissingPackage
from dovetail_vision.datasets.samplers import DistributedSampler, RandomClipSampler, UniformClipSampler
from dovetail_vision.datasets.video_utils import VideoClips, unfold


@pytest.fixture
def frames(tmp_path):
    found = tiny.make.pixels(7, 20, 16, 24, 3)
    for suffix in ("avi", "mkv"):
        tiny.video(tmp_path / f"a.{suffix}", found, sound=440)
    return found


@pytest.mark.parametrize("suffix", ["avi", "mkv"])
def test_frames_by_their_numbers(tmp_path, frames, suffix):
    path = str(tmp_path / f"a.{suffix}")
    times, rate = _video.read_times(path)
    assert len(times) == 20 and rate == 10
    for start, stop in ((0, 20), (3, 4), (17, 20), (0, 1), (9, 15)):
        np.testing.assert_array_equal(_video.read_frames(path, start, stop), frames[start:stop])
    sound = _video.read_sound(path, 0.5, 1.0)
    expected = np.sin(2 * np.pi * 440 * np.arange(4000, 8000) / 8000) * 20000 / 32768
    assert sound.shape == (1, 4000) and sound.dtype == np.float32 and np.abs(sound[0] - expected).max() < 1e-4


def test_clips_at_another_rate(tmp_path, frames):
    half = VideoClips([str(tmp_path / "a.avi")], 4, 4, frame_rate=5)
    video, _, info, number = half.get_clip(1)
    assert len(half) == 2 and info == {"video_fps": 5} and number == 0
    np.testing.assert_array_equal(video.numpy(), frames[8:16:2])
    odd = VideoClips([str(tmp_path / "a.avi")], 3, 1, frame_rate=7, output_format="TCHW")
    video, sound, _, _ = odd.get_clip(2)
    np.testing.assert_array_equal(video.numpy(), frames[[2, 4, 5]].transpose(0, 3, 1, 2))
    assert tuple(sound.shape) == (1, 3200)
    again = VideoClips(odd.video_paths, 3, 1, _precomputed_metadata=odd.metadata)
    assert len(again) == 18 and again.num_videos() == 1
    with pytest.raises(RangeError, match=r"Index 18 out of range \(18 number of clips\)"):
        again.get_clip(18)
    with pytest.warns(UserWarning, match="There aren't enough frames in the current video"):
        assert len(VideoClips(odd.video_paths, 21, _precomputed_metadata=odd.metadata)) == 0
    with pytest.raises(ValueRangeError, match="output_format is 'CTHW'; expected 'THWC' or 'TCHW'"):
        VideoClips([], output_format="CTHW")
    assert tuple(unfold(dovetail.arange(3), 4, 1).shape) == (0, 4)
    with pytest.raises(ValueRangeError, match="tensor should have 1 dimension instead of 2"):
        unfold(dovetail.ones(2, 2), 1, 1)


def test_damaged_videos(tmp_path, frames):
    data, path = (tmp_path / "a.avi").read_bytes(), tmp_path / "b.avi"
    for damaged in (b"", b"no video", data[:3000], b"RIFF" + data[40:90]):
        path.write_bytes(damaged)
        with pytest.raises(DamagedFile, match="b.avi: (cannot be read as a video|has no)"):
            _video.read_frames(str(path), 0, 20)
    with pytest.raises(MissingFiles, match="c.avi: Dataset not found"):
        _video.read_times(str(tmp_path / "c.avi"))
    draw, refused = random.Random(3), 0
    for i in range(60):
        changed = bytearray(data)
        for _ in range(20):
            changed[draw.randrange(len(data))] = draw.randrange(256)
        path = tmp_path / f"{i}.avi"
        path.write_bytes(bytes(changed[: draw.randrange(len(data))] if i % 3 == 0 else changed))
        try:
            assert _video.read_frames(str(path), 2, 6).shape == (4, 16, 24, 3)
            _video.read_sound(str(path), 0, 1)
        except FormatError as error:
            refused += str(path) in str(error)
    assert refused > 10


def test_without_the_package(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "av", None)
    tiny_file = tmp_path / "a.avi"
    tiny_file.write_bytes(b"x")
    with pytest.raises(MissingPackage, match=r"videos: its files need the package av, .*pip install 'dovetail-vision\[video\]'"):
        _video.read_times(str(tiny_file))


def test_folds_and_transforms(tmp_path):
    tiny.ucf101(tmp_path)
    lists = tmp_path / "lists"
    first = datasets.UCF101(tmp_path / "videos", lists, 4, 2, transform=lambda video: video.shape)
    assert first.classes == ["Archery", "Biking"] and len(first.metadata["video_paths"]) == 3 and first[5][0] == (4, 16, 24, 3)
    assert [label for _, _, label in datasets.UCF101(tmp_path / "videos", lists, 4, 2, fold=2)] == [1, 1]
    for fold in (0, 4):
        with pytest.raises(ValueRangeError, match="fold should be between 1 and 3"):
            datasets.UCF101(tmp_path / "videos", lists, 4, fold=fold)
        with pytest.raises(ValueRangeError, match="fold should be between 1 and 3"):
            datasets.HMDB51(tmp_path / "videos", lists, 4, fold=fold)
    with pytest.raises(MissingFiles, match=r"lists: there is no \*test_split1.txt here; the lists come from https://serre"):
        datasets.HMDB51(tmp_path / "videos", lists, 4)
    with pytest.raises(MissingFiles, match="testlist02.txt: Dataset not found.*crcv.ucf.edu"):
        datasets.UCF101(tmp_path / "videos", lists, 4, fold=2, train=False)
    tiny.kinetics(tmp_path)
    old = datasets.Kinetics(tmp_path / "val", 4, _legacy=True)
    assert old.split == "unknown" and old[0][0].shape[-1] == 3
    with pytest.raises(ValueRangeError, match="Cannot download the videos using legacy_structure"):
        datasets.Kinetics(tmp_path, 4, _legacy=True, download=True)


def test_samplers_of_clips(tmp_path):
    tiny.ucf101(tmp_path)
    clips = datasets.UCF101(tmp_path / "videos", tmp_path / "lists", 4, 2).video_clips
    even = UniformClipSampler(clips, 2)
    assert list(even) == [0, 2, 3, 5] and len(even) == 4
    dovetail.manual_seed(0)
    some = RandomClipSampler(clips, 2)
    drawn = list(some)
    assert len(drawn) == len(some) == 4 and sum(index < 3 for index in drawn) == 2
    with pytest.raises(TypeMismatch, match="Expected video_clips to be an instance of VideoClips"):
        UniformClipSampler([], 2)
    with pytest.raises(ValueRangeError, match="dataset length 5 is no multiple of the group size 2"):
        DistributedSampler(range(5), 2, 0, group_size=2)
