"""`audionet features`, `features list` and `features show`."""

from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from audionet.checks import check_that
from audionet.cli.main import complain, source_of
from audionet.cli.parsing import PositiveInt
from audionet.console import progress

if TYPE_CHECKING:
    from audionet.features import FrontEnd


def features(
    *files: str,
    output: str,
    kind: str | None = None,
    like: str | None = None,
    arguments: Mapping[str, Any] | None = None,
    sample_rate: PositiveInt | None = None,
    format: str = "npy",
    plot: bool = False,
    lenient: bool = False,
    workers: PositiveInt | None = None,
) -> int:
    """Compute features of audio files and save them. A second run computes only those of new and changed files.

    Args:
        files: Audio files, or folders of them; the output has the same folders. A hyphen (-) is standard input.
        output: Folder to write to; - for standard output, which takes the .npy of standard input.
        kind: Front-end: LogMel (the default), MFCC, MelSpectrogram and so on; with --like, one of the tool's.
        like: Tool to compute as: librosa, torchaudio, kaldi, nemo, whisper, ast, beats, clap, yamnet and so on.
        arguments: Argument of the front-end, such as --arguments.n_mels 64; may be repeated.
        sample_rate: Resample to this rate, in hertz; by default the front-end's.
        format: Format of the output: npy, one file for each input; zarr, one store; parquet, one file.
        plot: Save a picture of each file's features, too.
        lenient: Of a damaged or cut-off file, take what is whole, and say what is wrong, instead of refusing it.
        workers: Number of processes; by default one for each core, or a single one for few files.

    Example:
        audionet features seven.wav --kind MFCC --arguments.n_mfcc 13 --output features
        audionet features seven.wav --like whisper --plot --output as_whisper
        audionet features seven.wav --like librosa --kind MFCC --output as_librosa
    """
    from audionet.audio import sounds_among

    is_piped = "-" in (*files, output)
    expected = "- alone for standard input, with --output - for standard output, or none of both"
    check_that(not is_piped or (files, output) == (("-",), "-"), "files and --output", expected, [*files, output])
    paths = [] if is_piped else sounds_among(files)
    from audionet.bulk.features import choose_front_end, common_folder, extract, make_plan

    chosen = {**(arguments or {}), **({"sample_rate": sample_rate} if sample_rate else {})}
    front_end, settings = choose_front_end(kind, like=like, arguments=chosen)
    if is_piped:
        return _pipe(front_end)
    plan = make_plan(paths, output, base=common_folder(files), settings=settings, format=format, with_pictures=plot)
    n_bad = 0
    with (
        progress("features", len(plan.todo)) as advance,
        closing(extract(plan, front_end, lenient=lenient, workers=workers)) as results,
    ):
        for n_files, bad in results:
            for _, reason in bad:
                complain(reason)
            n_bad += len(bad)
            advance(n_files)
    there = f", {plan.n_done} were there already" if plan.n_done else ""
    print(f"{output}: features of {len(plan.todo) - n_bad} files made{there}{f', {n_bad} failed' if n_bad else ''}")
    return 1 if n_bad else 0


def _pipe(front_end: "FrontEnd") -> int:
    """Write the features (band, frame) of the sound on standard input to standard output, as an .npy."""
    import io
    import sys

    import numpy as np

    from audionet.audio import read_mono

    content = io.BytesIO()  # as NumPy asks where a file stands, which a pipe does not know
    np.save(content, front_end(read_mono(source_of("-"), front_end.sample_rate)))
    sys.stdout.buffer.write(content.getvalue())
    return 0


def features_list() -> None:
    """List the front-ends, and the tools whose features can be computed.

    Example:
        audionet features list
    """
    from audionet.cli.parsing import summary
    from audionet.console import print_table
    from audionet.features import FEATURES
    from audionet.features.compat.like import TOOLS

    print_table([("KIND", "WHAT"), *((name, summary(FEATURES[name])) for name in FEATURES)])
    print()
    print_table([("LIKE", "KINDS"), *((tool, ", ".join(kinds)) for tool, kinds in TOOLS.items())])


def features_show(kind: str) -> None:
    """Show which arguments a front-end takes.

    Args:
        kind: Name of the front-end (see `audionet features list`).

    Example:
        audionet features show LogMel
    """
    from audionet.cli.arguments import print_arguments
    from audionet.features import FEATURES

    print_arguments(FEATURES[kind], "--features")
