"""`python -m audionet` is the command `audionet`."""

import sys

from audionet.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
