"""What keeps a set's weights from being read, or from being used."""

from __future__ import annotations

from fleet.model.errors import FleetError


class UnreadableWeightsError(FleetError):
    """The files are none of TensorFlow's, or of a form that is not known here: nothing can be said of the weights."""


class UnsoundWeightsError(FleetError):
    """Nothing can go on from such weights: an older set can."""


class BrokenWeightsError(UnreadableWeightsError, UnsoundWeightsError):
    """They are TensorFlow's, and not as it wrote them: cut off, or changed since. TensorFlow cannot load them either."""


class NotFiniteError(UnsoundWeightsError):
    """Weights are NaN or infinite: so is whatever is trained from them."""
