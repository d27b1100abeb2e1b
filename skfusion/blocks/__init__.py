"""What flows: named blocks of rows, each in its own form."""

from skfusion.blocks._blocks import Blocks
from skfusion.blocks._kinds import Block, LazyBlock
from skfusion.blocks._lookup import Lookup
from skfusion.blocks._masked import MaskedBlock
from skfusion.blocks._ragged import Ragged
from skfusion.blocks._spec import FORMS, BlockSpec, spec_of

__all__ = [
    "FORMS",
    "Block",
    "BlockSpec",
    "Blocks",
    "LazyBlock",
    "Lookup",
    "MaskedBlock",
    "Ragged",
    "spec_of",
]
