"""Training and prediction: the only package that imports skorch."""

from skfusion._training._checkpoint import Checkpoint, cleared_at_the_end
from skfusion._training._keep import load_weights, pack_net
from skfusion._training._make import Settings, follow, make_net, pick_device, seeded
from skfusion._training._net import Balance, Net
from skfusion._training._rows import Rows

__all__ = [
    "Balance",
    "Checkpoint",
    "Net",
    "Rows",
    "Settings",
    "cleared_at_the_end",
    "follow",
    "load_weights",
    "make_net",
    "pack_net",
    "pick_device",
    "seeded",
]
