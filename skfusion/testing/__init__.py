"""Proofs that an encoder or a fusion of your own keeps the contracts."""

from skfusion.testing._encoders import check_encoder
from skfusion.testing._fusions import check_fusion

__all__ = ["check_encoder", "check_fusion"]
