"""What flows: named blocks of rows, each in its own form."""

from skfusion.blocks._agreement import check_block_name
from skfusion.blocks._blocks import Blocks
from skfusion.blocks._kinds import Block, LazyBlock, is_csr
from skfusion.blocks._masked import MaskedBlock
from skfusion.blocks._ragged import Ragged, gather_runs
from skfusion.blocks._rows import as_block, cut_rows, scatter_rows
from skfusion.blocks._spec import FORMS, BlockSpec, form_of, spec_of

__all__ = [
    "FORMS",
    "Block",
    "BlockSpec",
    "Blocks",
    "LazyBlock",
    "MaskedBlock",
    "Ragged",
    "as_block",
    "check_block_name",
    "cut_rows",
    "form_of",
    "gather_runs",
    "is_csr",
    "scatter_rows",
    "spec_of",
]
