"""Training and prediction: the only package that imports skorch."""

from skfusion._training._begin import begin_at_prior, learn_columns
from skfusion._training._callbacks import TrainingCallback
from skfusion._training._chance import warn_at_chance_level
from skfusion._training._check import check_callbacks, check_net_params, check_optimizer
from skfusion._training._checkpoint import Checkpoint, check_checkpoint, cleared_at_the_end
from skfusion._training._fit import fit_net
from skfusion._training._history import history_table
from skfusion._training._make import copy_of, follow, make_net, pick_device
from skfusion._training._members import (
    encode_shared,
    outputs_of_members,
    outputs_of_rows,
    share_frozen,
)
from skfusion._training._net import Net
from skfusion._training._outputs import outputs
from skfusion._training._rows import Rows, codes_of
from skfusion._training._run import Run
from skfusion._training._settings import (
    Balance,
    CallbackLike,
    OptimizerLike,
    TrainingSettings,
)
from skfusion._training._texts import write_texts
from skfusion._training._torch_state import seeded
from skfusion._training._weights import load_weights, pack_nets

__all__ = [
    "Balance",
    "CallbackLike",
    "Checkpoint",
    "Net",
    "OptimizerLike",
    "Rows",
    "Run",
    "TrainingCallback",
    "TrainingSettings",
    "begin_at_prior",
    "check_callbacks",
    "check_checkpoint",
    "check_net_params",
    "check_optimizer",
    "cleared_at_the_end",
    "codes_of",
    "copy_of",
    "encode_shared",
    "fit_net",
    "follow",
    "history_table",
    "learn_columns",
    "load_weights",
    "make_net",
    "outputs",
    "outputs_of_members",
    "outputs_of_rows",
    "pack_nets",
    "pick_device",
    "seeded",
    "share_frozen",
    "warn_at_chance_level",
    "write_texts",
]
