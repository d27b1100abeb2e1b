"""Proofs that an encoder, a fusion, a head or a target of your own keeps the contracts."""

from skfusion.testing._encoders import check_encoder
from skfusion.testing._fusions import check_fusion
from skfusion.testing._heads import check_head
from skfusion.testing._targets import check_target

__all__ = ["check_encoder", "check_fusion", "check_head", "check_target"]
