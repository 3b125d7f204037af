"""Which compressed form of a model should ship on a device: measured there, never guessed."""

__version__ = "0.1.0"
