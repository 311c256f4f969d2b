"""Who finds `alexa`, `computer` and `jarvis` in recordings of people, and who hears them where nobody says them.

    python -m benchmarks.keywords                                 all of it; what is there already is not done again
    python -m benchmarks.keywords --systems audionet Porcupine    these alone
    python -m benchmarks.keywords --models my_words.safetensors   bundles of yours in place of those trained here

All systems hear the same files: recordings of the three words, spoken requests, AN4, and hours of synthesised talk in
other languages, as they are and with background noise 10 dB below the speech. Rejects and alarms are counted alike.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from audionet.console import note
from audionet.evaluate import Tracks
from benchmarks.keywords.cost import Cost, of_bundle, of_peer
from benchmarks.keywords.hearing import by_our_bundle, by_peer, kept
from benchmarks.keywords.page import publish
from benchmarks.keywords.peers import PEERS
from benchmarks.keywords.sounds import CONDITIONS, Sound, prepare
from benchmarks.keywords.training import trained
from benchmarks.measure import machine
from benchmarks.people.results import identity

REPOSITORY = Path(__file__).parents[2]
OURS = "audionet"


def main() -> None:
    """Train, let all systems hear the recordings, measure what they cost, and publish the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the real recordings")
    parser.add_argument("--output", type=Path, default=Path("runs/keywords"), help="folder of what is kept")
    parser.add_argument("--models", type=Path, nargs="+", default=[], help="bundles in place of those trained here")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--systems", nargs="+", choices=[OURS, *PEERS], default=[OURS, *PEERS], help="who hears")
    parser.add_argument("--conditions", nargs="+", choices=CONDITIONS, default=[*CONDITIONS])
    parser.add_argument("--talk_hours", type=float, default=2.0, help="hours of talk in other languages")
    parser.add_argument("--docs", type=Path, default=REPOSITORY / "docs", help="folder of keywords.md and its assets")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    bundles = _bundles(options)
    peers = [name for name in options.systems if name in PEERS and _installed(name)]
    sounds = {name: prepare(name, options.data, options.output, options.talk_hours) for name in options.conditions}
    heard = {name: _heard(name, of, bundles, peers, options.output) for name, of in sounds.items()}
    facts = {"date": time.strftime("%Y-%m-%d")} | machine()
    publish(sounds, heard, _costs(sounds, bundles, peers), facts, options.docs)


def _bundles(options: argparse.Namespace) -> dict[str, Path]:
    """Return the bundles of ours that take part, by the names of their rows."""
    if OURS not in options.systems:
        return {}
    if options.models:
        return {path.stem: path for path in options.models}
    return {f"{OURS}, seed {seed}": path for seed, path in trained(options.output, options.seeds).items()}


def _installed(name: str) -> bool:
    """Tell whether a peer can take part."""
    try:
        PEERS[name]()
    except ImportError as error:
        note(f"{name} is left out, for {error}; benchmarks/keywords/peers.py tells how to install it")
        return False
    return True


def _heard(
    condition: str, sounds: Sequence[Sound], bundles: Mapping[str, Path], peers: Sequence[str], output: Path
) -> dict[str, Tracks]:
    """Return what each system makes of the recordings of a condition; what was heard before is not heard again."""
    folder, what = output / "heard", f"{condition}, {len(sounds)}"
    ours = {
        name: kept(folder / f"{name}, {what}, {identity(path)}.npz", partial(by_our_bundle, path, sounds, name))
        for name, path in bundles.items()
    }
    theirs = {name: kept(folder / f"{name}, {what}.npz", partial(by_peer, name, sounds)) for name in peers}
    return ours | theirs


def _costs(sounds: Mapping[str, Sequence[Sound]], bundles: Mapping[str, Path], peers: Sequence[str]) -> dict[str, Cost]:
    """Return what each system costs; of those that differ in their seed alone, the first stands for all."""
    talk = next(sound.path for sound in next(iter(sounds.values())) if sound.set == "talk")
    found = {}
    with TemporaryDirectory() as folder:
        for path in [*bundles.values()][:1]:
            found[OURS] = of_bundle(path, talk, Path(folder))
    return found | {name: of_peer(name, talk) for name in peers}


if __name__ == "__main__":
    main()
