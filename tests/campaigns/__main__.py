"""Run the campaigns and print a table; the exit code is 1 if anything happened that must not.

python -m tests.campaigns                           all of them, which takes hours
python -m tests.campaigns --tiny                    a slice of each
python -m tests.campaigns sounds kills --count 50   some of them
python -m tests.campaigns sounds --first 17 --count 1 --seed 0      one case again
"""

import argparse
import os
import sys
from math import inf

from audionet.console import print_table
from tests.campaigns import archives, bundles, cards, disks, kills, long_runs, pairs, sounds
from tests.campaigns.harness import OUTCOMES, run

MODULES = (sounds, bundles, cards, archives, kills, disks, pairs, long_runs)
CAMPAIGNS = {campaign.name: campaign for module in MODULES for campaign in module.CAMPAIGNS}
_MOST = 20  # failures of a campaign that are told


def main() -> int:
    """Run what the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns", description="What the world throws at audionet.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"campaigns: {', '.join(CAMPAIGNS)}; all by default")
    parser.add_argument("--tiny", action="store_true", help="a slice of each, which takes seconds")
    parser.add_argument("--count", type=int, help="number of cases of each")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--minutes", type=float, default=inf, help="time for each, after which it tries no more")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything that is drawn")
    chosen = parser.parse_args()
    if unknown := [name for name in chosen.names if name not in CAMPAIGNS]:
        parser.error(f"expected names of {', '.join(CAMPAIGNS)}, got {', '.join(unknown)}")
    os.environ |= {"OMP_NUM_THREADS": "1", "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
    rows = []
    for name in chosen.names or CAMPAIGNS:
        campaign = CAMPAIGNS[name]
        count = chosen.count or (campaign.tiny if chosen.tiny else campaign.count)
        row = run(campaign, seed=chosen.seed, count=count, first=chosen.first, most_seconds=60 * chosen.minutes)
        for failure in row.failures[:_MOST]:
            print(f"{name} {failure}", file=sys.stderr)
        numbers = [row.outcomes.total(), *(row.outcomes[each] for each in OUTCOMES), round(row.seconds)]
        rows.append((name, *map(str, numbers)))
        print(f"{' '.join(rows[-1])}: {len(row.failures)} not wanted", file=sys.stderr, flush=True)
    heading = ("campaign", "tried", *OUTCOMES, "seconds")
    print_table([tuple(word.upper() for word in heading), *rows])
    return 1 if any(cell != "0" for row in rows for cell in row[4:-1]) else 0


if __name__ == "__main__":
    sys.exit(main())
