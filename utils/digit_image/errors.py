"""The one exception of this package."""


class DigitImageError(ValueError):
    """A picture in which no digit can be found, or no picture at all."""
