"""fleet: cheap training on spot machines that survives every interruption."""

from fleet._training import progress, save_requested, saved

__all__ = ["__version__", "progress", "save_requested", "saved"]

__version__ = "0.1.0"
