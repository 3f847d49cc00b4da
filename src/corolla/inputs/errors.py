"""The error of an input that cannot be read."""

from corolla.errors import CorollaError


class InputError(CorollaError):
    """An input that cannot be read; `reason` says why without naming it, and the text is the whole message."""

    def __init__(self, reason: str, text: str = "") -> None:
        super().__init__(text or reason)
        self.reason = reason
