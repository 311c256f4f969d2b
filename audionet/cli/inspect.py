"""`audionet inspect`."""


def inspect(
    model: str,
    *files: str | None,
    output: str,
    recordings: str | None = None,
    training: str | None = None,
    label: str | None = None,
    task: str | None = None,
    seed: int = 0,
) -> None:
    """Look inside a network: one page of its layers, filters and maps, of what decided in a clip, and what is alike.

    Pictures and sounds are in the page, which loads nothing and fits a phone. What does not apply to the network is
    said. Without files and recordings, a voice speaks the words of the model, if one is installed.

    Args:
        model: Name of a shipped bundle (see `audionet models list`) or path of one.
        files: Audio files to look at, 6 at most; of recordings without files, two are looked at.
        output: Folder of the page, inspection.html, which must not be there yet.
        recordings: Folder that holds a folder of recordings for each label, such as test clips: for the map of the
            embedding, dead filters, what excites a unit, and the most confused pairs.
        training: Folder of the recordings that the model was trained on, likewise, to find the nearest of a clip.
        label: Label whose evidence is shown; the model's answer where it is left out.
        task: Task of the model where its name is shipped for several: recognition, generation or embedding.
        seed: Seed of everything that is drawn.

    Example:
        audionet inspect digits seven.wav --recordings recordings --output digits_inside
        audionet inspect digits --task generation --output wavenet_inside
    """
    from audionet import bundle
    from audionet.bundle_tasks import TASKS
    from audionet.checks import check_one_of, check_that
    from audionet.models import MODELS
    from audionet.report.inspection import check_free, write_inspection

    check_free(output)
    if task is not None:
        check_one_of(TASKS, "task", task)
    shipped = {name for each in TASKS for name in bundle.shipped(each)}
    advice = "train it first; audionet models show tells its layers"
    check_that(model in shipped or model not in MODELS, "model", "a trained network", model, advice)
    loaded = bundle.load(model, task)
    named = [file for file in files if file is not None]
    page = write_inspection(
        output, loaded, name=model, files=named, recordings=recordings, training=training, label=label, seed=seed
    )
    print(f"{page}: {page.stat().st_size / 1e6:.1f} MB; open it in a browser")
