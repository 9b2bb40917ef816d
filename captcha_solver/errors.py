"""The tree of errors: each says what was expected, what was received, and what to do.

CaptchaSolverError
├── ImageError      bytes that cannot be read as an image, or break a limit
├── DatasetError    a folder or its labels.csv is not as it should be
├── DesignError     a TOML design says something impossible (names the key and the line)
├── BundleError     a model bundle is missing, changed, or made for something else
├── OptionError     an argument is out of range (a usage error on the command line)
├── ServiceError    a service cannot be reached, or refuses what it is asked
└── SetupError      something that must be installed or writable is not

Tested in ``tests/cli/test_main.py``.
"""


class CaptchaSolverError(Exception):
    """Root of every error this package raises on purpose; the message is one clear line."""


class ImageError(CaptchaSolverError):
    """The bytes are not an image that can be read within the limits."""


class DatasetError(CaptchaSolverError):
    """A dataset folder or its ``labels.csv`` is broken."""


class DesignError(CaptchaSolverError):
    """A design cannot be drawn as written."""


class BundleError(CaptchaSolverError):
    """A model bundle is missing, incomplete, changed, or of the wrong kind."""


class OptionError(CaptchaSolverError):
    """An argument has a value that makes no sense."""


class ServiceError(CaptchaSolverError):
    """A service cannot be reached, does not answer as it should, or refuses what it is asked."""


class SetupError(CaptchaSolverError):
    """The machine lacks something: a package, a program, a writable folder."""
