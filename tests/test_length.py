"""The length of a training that nothing says: by the data, and what is said wins."""

import pytest

from audionet.datasets import open_corpus
from audionet.training import ClipData, set_length
from audionet.training.length import fitting_steps


@pytest.fixture
def corpus(tone_folder):
    return open_corpus(None, root=tone_folder, sample_rate=8000, clip_seconds=0.5, workers=1, progress=False)


def test_steps_fit_the_clips():
    steps = [fitting_steps(n) for n in (0, 1, 25, 60, 100, 1000, 10_000)]
    assert steps == sorted(steps) and steps[0] == 1500 and steps[-1] == 6000 and fitting_steps(60) == 1800


def length_of(data, steps=None, **said):
    trainer = {"max_epochs": None, "max_steps": -1, "max_time": None, "fast_dev_run": False, **said}
    set_length(trainer, data, steps)
    return trainer["max_steps"], trainer["max_epochs"]


def test_a_length_is_only_chosen_where_none_is_said(corpus, capsys):
    data = ClipData(corpus, batch_size=16)
    assert length_of(data) == (1500, -1)
    assert "note: 1500 steps of 16 clips, which fit 96 training clips; --steps sets" in capsys.readouterr().err
    assert length_of(data, max_epochs=3) == (-1, 3)
    assert length_of(data, max_steps=7) == (7, None)
    assert length_of(data, max_time="00:00:01:00") == length_of(data, fast_dev_run=True) == (-1, None)
    assert length_of(data, steps=10) == length_of(data, steps=10, max_steps=10) == (10, -1)
    assert capsys.readouterr().err == ""
    assert length_of(data, steps=10, max_epochs=3) == (10, -1)
    assert "note: trainer.max_epochs 3 is not used: steps 10 sets the length" in capsys.readouterr().err
    with pytest.raises(ValueError, match="steps: expected a whole number of at least 1, got 0"):
        length_of(data, steps=0)


def test_an_epoch_of_few_clips_goes_through_each_several_times(corpus):
    data = ClipData(corpus, batch_size=16, epoch_batches=50)
    batches = list(data.train_dataloader())
    assert len(batches) == 54  # nine passes of six batches
    clips = [clip for batch in batches for clip in batch["clip"].tolist()]
    assert {clips.count(clip) for clip in corpus.store.indices("train").tolist()} == {9}
    assert len(data.test_dataloader()) == len(ClipData(corpus, batch_size=16).test_dataloader())
    with pytest.raises(ValueError, match="epoch_batches: expected a whole number of at least 1, got 0"):
        ClipData(corpus, epoch_batches=0)
