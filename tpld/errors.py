"""Every error that a user can cause or mend, as one tree.

A message says what was seen, where, and what to do. The command line prints it without a
traceback and exits with status 1; anything outside this tree is a defect of ours and shows one.
"""


class TpldError(Exception):
    """Base of all errors that carry a remedy for the user."""


class ConfigError(TpldError):
    """A configuration value is missing, unknown or out of bounds."""


class DataError(TpldError):
    """An image, a label file or a split list cannot be used as it is."""


class StoreError(TpldError):
    """A store or checkpoint is incomplete, damaged, or belongs to another run."""


class TrainingError(TpldError):
    """Training cannot go on (for example a loss that is not finite)."""


class DeviceError(TpldError):
    """The wanted device or precision is not available on this machine."""
