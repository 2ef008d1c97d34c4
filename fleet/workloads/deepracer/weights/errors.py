"""What keeps a set's weights from being read."""

from __future__ import annotations

from fleet.model.errors import FleetError


class UnreadableWeightsError(FleetError):
    """The files are none of TensorFlow's, or of a form that is not known here: nothing can be said of the weights."""


class BrokenWeightsError(UnreadableWeightsError):
    """They are TensorFlow's, and not as it wrote them: cut off, or changed since. TensorFlow cannot load them either."""


class NotFiniteError(FleetError):
    """Weights are NaN or infinite: whatever goes on from them is lost."""
