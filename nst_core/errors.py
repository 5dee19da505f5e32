"""The errors of the engines.

NSTError
├── InvalidOptions       an option is out of its bounds, or does not fit the others
├── DeviceUnavailable    the device to compute on does not exist here
├── InvalidImage         a file is not an image that can be painted
├── NoSubject            nothing stands out in a picture, so that no mask can be found
├── WeightsUnavailable   an encoder's weights are not here and cannot be had
├── CorruptWeights       a weights file is not what it should be
├── UnknownStyle         there is no trained style of this id
├── TooLittleMemory      a picture of this size does not fit, not even in tiles
├── Diverged             the optimisation ended in NaN, also with safer settings
├── CorruptCheckpoint    from where to go on cannot be read
└── TrainingFailed       a training cannot start or go on
"""


class NSTError(Exception):
    """Something went wrong while painting."""

    code = "internal"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__class__.__doc__)


class InvalidOptions(NSTError, ValueError):
    """The options are out of their bounds or contradict each other."""

    code = "invalid_options"

    def __init__(self, message: str | None = None, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class DeviceUnavailable(NSTError):
    """There is no such device on this machine."""

    code = "device_unavailable"


class InvalidImage(NSTError, ValueError):
    """The file is not an image that can be painted."""

    code = "invalid_image"


class NoSubject(NSTError, ValueError):
    """Nothing stands out in the picture, so that no mask can be found for it."""

    code = "no_subject"


class WeightsUnavailable(NSTError):
    """The weights of this encoder are not on this machine and could not be downloaded."""

    code = "weights_unavailable"


class CorruptWeights(WeightsUnavailable):
    """The weights file is damaged or belongs to another network."""


class UnknownStyle(NSTError, LookupError):
    """There is no trained style of this id."""

    code = "unknown_style"


class TooLittleMemory(NSTError):
    """The picture does not fit into the memory that is free, not even in tiles."""

    code = "out_of_memory"


class Diverged(NSTError):
    """The optimisation diverged, also after a restart with safer settings."""

    code = "diverged"


class CorruptCheckpoint(NSTError):
    """The checkpoint cannot be read."""

    code = "corrupt_checkpoint"


class TrainingFailed(NSTError):
    """The training cannot start or go on."""

    code = "training_failed"
