"""`audionet recognize`."""

from audionet.cli.main import complain, source_of
from audionet.cli.parsing import PositiveInt, Share


def recognize(
    model: str,
    *files: str,
    top_k: PositiveInt = 1,
    threshold: Share | None = None,
    json: bool = False,
    lenient: bool = False,
    device: str = "cpu",
) -> int:
    """Recognise the words in audio files: print a label and its probability for each file, or "none of these".

    Args:
        model: Name of a shipped bundle (see `audionet models list`) or path of one.
        files: Audio files, or folders of them; - for standard input.
        top_k: Number of labels to print for each file.
        threshold: Probability below which the answer is "none of these", 0 to 1; the bundle's where it is left out, and
            0 to answer with a word whenever one is the most probable.
        json: Print a JSON line for each file.
        lenient: Of a damaged or cut-off file, hear what is whole, and say what is wrong, instead of refusing it.
        device: Device that computes: cpu, cuda, cuda:1, mps.

    Example:
        audionet recognize digits seven.wav
        audionet recognize digits --top-k 3 --json seven.wav
        audionet recognize digits --threshold 0.9 stop.wav
    """
    from audionet.audio import sounds_among

    paths = sounds_among(files)  # before the network is loaded, which takes seconds
    from json import dumps

    import torch

    from audionet import bundle
    from audionet.inference import Recognizer

    recognizer = Recognizer(bundle.load(model, "recognition"), device)
    if len(paths) == 1:  # one clip is little work; on a busy machine, several threads would wait for each other
        torch.set_num_threads(1)
    results = recognizer.recognize_files(map(source_of, paths), top_k=top_k, threshold=threshold, lenient=lenient)
    code = 0
    for path, result in zip(paths, results, strict=True):
        if isinstance(result, Exception):
            code = 1
            complain(result)
            if json:
                print(dumps({"file": str(path), "error": str(result)}), flush=True)
        elif json:
            print(dumps({"file": str(path), **result.facts()}), flush=True)
        else:
            shown = ", ".join(f"{label} {probability:.1%}" for label, probability in result)
            print(f"{path}: {shown if result.accepted else f'none of these ({shown})'}", flush=True)
    return code
