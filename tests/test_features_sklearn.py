"""The scikit-learn transformer keeps scikit-learn's rules, and front-ends map NumPy arrays to NumPy arrays."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from audionet.features import MFCC, LogMel, Spectrogram
from audionet.features.sklearn import FeatureTransformer

REPOSITORY = Path(__file__).parents[1]
RECORDING = REPOSITORY.parent / "shared" / "data" / "fsdd" / "recordings" / "7_jackson_0.wav"

SHORTEST = {"n_fft": 2, "win_length": 2, "hop_length": 1, "pad_mode": "constant"}  # scikit-learn's clips have 1 sample
NOT_OURS = {
    "check_estimators_dtypes": "integers are refused: nobody knows their full scale",
    "check_dtype_object": "objects are refused, as integers are",
}


@parametrize_with_checks(
    [
        FeatureTransformer("Spectrogram", arguments=SHORTEST),
        FeatureTransformer("Spectrogram", pooling="mean", arguments=SHORTEST),
        FeatureTransformer("Waveform", pooling="none"),
    ],
    expected_failed_checks=lambda estimator: NOT_OURS,
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


@pytest.fixture
def clips():
    """Arrays (time,) float32 of several lengths: noise, silence, an impulse, one shorter than a window."""
    generator = np.random.default_rng(0)
    noise = [generator.normal(0, 0.1, length).astype(np.float32) for length in (4000, 3200, 4000, 4000)]
    impulse = np.zeros(4000, np.float32)
    impulse[1234] = 1
    return [*noise, np.zeros(4000, np.float32), impulse, noise[0][:300]]


@pytest.mark.parametrize("name", ["LogMel", "mfcc"])
def test_rows_are_the_front_ends_means_and_deviations_in_the_order_of_the_clips(clips, name):
    rows = FeatureTransformer(name).fit_transform(clips)
    front_end = {"LogMel": LogMel, "mfcc": MFCC}[name]()
    assert rows.shape == (7, 80) and rows.dtype == np.float32
    for row, clip in zip(rows, clips, strict=True):
        x = front_end(clip).astype(np.float64)
        expected = np.concatenate([x.mean(1), x.std(1)])
        # Single precision: of a band that does not change, the deviation is what is rounded.
        np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_a_recording():
    if not RECORDING.exists():
        pytest.skip(f"needs the real recording {RECORDING}")
    clip, sample_rate = soundfile.read(RECORDING, dtype="float32")
    transformer = FeatureTransformer("MFCC", sample_rate=sample_rate, pooling="mean", arguments={"n_mfcc": 13})
    front_end = MFCC(sample_rate=8000, n_mfcc=13)
    np.testing.assert_allclose(transformer.fit_transform([clip])[0], front_end(clip).mean(1), rtol=1e-5, atol=1e-4)


def test_all_frames():
    batch = np.random.default_rng(1).normal(0, 0.1, (5, 1600))
    transformer = FeatureTransformer(pooling="none")
    rows = transformer.fit_transform(batch)
    np.testing.assert_array_equal(rows, LogMel()(batch).reshape(5, -1))
    names = transformer.get_feature_names_out()
    assert (names[0], names[10], names[11], names[-1]) == (
        "logmel0_frame0",
        "logmel0_frame10",
        "logmel1_frame0",
        "logmel39_frame10",
    )
    transformer.fit(list(batch))
    with pytest.raises(ValueError, match="clip 1: expected 11 frames, .*got 6; .*audionet.audio.fit"):
        transformer.transform([batch[0], batch[1, :800]])


def test_names():
    names = FeatureTransformer(Spectrogram(n_fft=4, win_length=4)).fit([np.zeros(100)]).get_feature_names_out()
    assert names.tolist() == [f"spectrogram{band}_{pooled}" for pooled in ("mean", "std") for band in range(3)]


def test_many_clips_of_one_length_equal_each_alone(clips, monkeypatch):
    from audionet.features import sklearn as transformer

    rows = FeatureTransformer().fit_transform(clips)
    monkeypatch.setattr(transformer, "_BATCH_BYTES", 2 * 4 * 4000)  # two at a time
    np.testing.assert_allclose(FeatureTransformer().fit_transform(clips), rows, atol=1e-5)


def test_parameters_clone_and_pickle(clips):
    transformer = FeatureTransformer("MFCC", pooling="mean", arguments={"n_mfcc": 13})
    assert transformer.get_params() == {
        "front_end": "MFCC",
        "sample_rate": None,
        "pooling": "mean",
        "arguments": {"n_mfcc": 13},
    }
    twin = clone(transformer).set_params(arguments={"n_mfcc": 20})
    assert transformer.fit_transform(clips).shape == (7, 13) and twin.fit_transform(clips).shape == (7, 20)
    again = pickle.loads(pickle.dumps(transformer))
    np.testing.assert_array_equal(again.transform(clips), transformer.transform(clips))


def test_in_a_pipeline_it_tells_tones_apart():
    generator = np.random.default_rng(2)
    hertz = np.tile([300, 1000, 3000], 10)
    clips = [
        np.sin(2 * np.pi * f * np.arange(generator.integers(1600, 3200)) / 16_000 + generator.uniform(0, 6))
        for f in hertz
    ]
    pipeline = make_pipeline(FeatureTransformer(), StandardScaler(), LogisticRegression())
    search = GridSearchCV(pipeline, {"featuretransformer__pooling": ["mean", "mean_std"]}, cv=3)
    assert search.fit(clips, hertz).best_score_ == 1.0


@pytest.mark.parametrize(
    ("transformer", "words"),
    [
        (FeatureTransformer(pooling="median"), "pooling: expected one of mean_std, mean, none.*got 'median'"),
        (FeatureTransformer("bark"), "front-end: expected one of .*got 'bark'"),
        (FeatureTransformer(arguments={"bark": 1}), "front-end LogMel: .*'bark'"),
        (
            FeatureTransformer(LogMel(), arguments={"n_mels": 3}),
            r"arguments: expected none beside a front-end \(LogMel\)",
        ),
        (FeatureTransformer(LogMel(), sample_rate=8000), "sample_rate: expected the front-end's 16000 Hz, got 8000"),
    ],
)
def test_wrong_arguments(transformer, words):
    with pytest.raises(ValueError, match=words):
        transformer.fit([np.zeros(4000)])


@pytest.mark.parametrize(
    ("clips", "words"),
    [
        (
            [np.zeros(4000), np.zeros(4000, np.int16)],
            "clip 1: waveform: .*got int16; divide 16-bit integers by 32768.0",
        ),
        (np.zeros((2, 4000), np.int32), "got int32"),
        ([np.zeros((2, 4000))], r"clip 0: expected \(time,\), got shape \(2, 4000\)"),
        ([np.zeros(4000), np.full(4000, np.nan)], "clip 1: waveform: expected finite samples, got nan"),
        ([np.zeros(4000), None], "clip 1: waveform: .*got NoneType"),
        ([np.zeros(100)], "at least 257 samples along the last axis"),
    ],
)
def test_wrong_clips(clips, words):
    with pytest.raises(ValueError, match=words):
        FeatureTransformer().fit_transform(clips)


def test_without_scikit_learn_the_extra_is_named():
    code = "import sys; sys.modules['sklearn'] = None\nimport audionet.features.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY)
    assert "ImportError: FeatureTransformer needs scikit-learn" in done.stderr
    assert "pip install 'audionet[sklearn]'" in done.stderr


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_front_ends_map_arrays_to_arrays(dtype):
    batch = np.random.default_rng(3).normal(0, 0.1, (2, 3, 1600)).astype(dtype)
    for front_end in (LogMel(), LogMel().double()):
        x = front_end(batch)
        expected = front_end(torch.from_numpy(batch).to(front_end.bands.spectrogram.window)).numpy()
        assert isinstance(x, np.ndarray) and x.dtype == expected.dtype and x.shape == (2, 3, 40, 11)
        np.testing.assert_array_equal(x, expected)
    np.testing.assert_array_equal(LogMel()(batch[:, ::-1, ::2]), LogMel()(batch[:, ::-1, ::2].copy()))


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint8, bool])
def test_front_ends_refuse_arrays_of_integers(dtype):
    with pytest.raises(ValueError, match=f"got {np.dtype(dtype)}; divide 16-bit integers by 32768.0"):
        LogMel()(np.zeros(1600, dtype))


def test_clips_in_any_box_give_the_same_rows():
    whole = np.random.default_rng(0).uniform(-0.5, 0.5, 8000).astype(np.float32)
    clips = [whole, whole[:5000]]
    expected = FeatureTransformer().fit_transform(clips)
    boxes = [
        tuple(clips),
        np.array(clips, object),
        [clip.tolist() for clip in clips],
        [clips[0], clips[1].tolist()],
        [clip.astype(">f4") for clip in clips],
    ]
    for box in boxes:
        np.testing.assert_allclose(FeatureTransformer().fit_transform(box), expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="clip 1: .*expected float samples in .*, got int64"):
        FeatureTransformer().fit([clips[0], [1, 2, 3]])
