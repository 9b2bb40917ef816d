"""``python -m captcha_solver.cli``: the command line, as ``captcha-solver`` starts it."""

import sys

from captcha_solver.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
