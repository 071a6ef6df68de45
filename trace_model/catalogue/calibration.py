"""How often a verdict was right, against the share of the vote it had: a measured table, read with the packs.

Pure data; `python -m bench.classification --fit` makes the table.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, model_validator


class Calibration(BaseModel):
    """Measured confidence against raw vote share: points in rising order, straight lines between them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provenance: str
    points: tuple[tuple[float, float], ...] = ((0.0, 0.0), (1.0, 1.0))

    @model_validator(mode="after")
    def _rising(self) -> Calibration:
        if list(self.points) != sorted(self.points) or any(
            later[1] < earlier[1] for earlier, later in zip(self.points, self.points[1:], strict=False)
        ):
            raise ValueError("`points` must rise in both numbers")
        return self

    def confidence(self, share: float) -> float:
        """The measured chance that a verdict with this vote share is right; between 0 and 1.

        >>> Calibration(provenance="doctest", points=((0.0, 0.0), (0.5, 0.8), (1.0, 1.0))).confidence(0.25)
        0.4
        """
        left = self.points[0]
        for right in self.points:
            if share <= right[0]:
                span = right[0] - left[0]
                part = (share - left[0]) / span if span else 1.0
                return left[1] + part * (right[1] - left[1])
            left = right
        return self.points[-1][1]
