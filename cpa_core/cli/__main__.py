"""`python -m cpa_core.cli` is `cpa`."""

import sys

from cpa_core.cli import main

sys.exit(main())
