"""`python -m audionet` is the command `audionet`."""

import sys

from audionet.cli.main import main

sys.exit(main())
