"""From whatever the user passes as X to ``Blocks``, with all that must be checked on the way."""

from skfusion._reading.finite import check_finite
from skfusion._reading.missing import check_missing, check_some_block, rows_without_blocks
from skfusion._reading.reader import Reader
from skfusion._reading.tables import needs_coding
from skfusion._reading.unscaled import warn_of_scales

__all__ = [
    "Reader",
    "check_finite",
    "check_missing",
    "check_some_block",
    "needs_coding",
    "rows_without_blocks",
    "warn_of_scales",
]
