"""``python -m sklearn_gass``: the command line."""

import sys

from sklearn_gass.cli import main

if __name__ == "__main__":
    sys.exit(main())
