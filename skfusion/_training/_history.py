"""The history of a net as a table."""

from __future__ import annotations

import pandas as pd
from skorch.history import History

__all__ = ["copy_of_history", "history_table"]

_FIRST_COLUMNS = ("epoch", "train_loss", "valid_loss", "valid_score", "lr", "seconds")
_BATCH_RECORDS = ("batches", "_batch_count", "_best")


def history_table(history: History) -> pd.DataFrame:
    """Return the history, a row an epoch, without the records of single batches.

    Strings are of dtype object, as they are kept by pandas alone: those of its own dtype are of
    pyarrow where that is installed, and a model that was saved there opened nowhere else.
    """
    rows = [
        {key: value for key, value in epoch.items() if not _of_batches(key)} for epoch in history
    ]
    epochs = pd.DataFrame(rows).rename(columns={"dur": "seconds"})
    first = [name for name in _FIRST_COLUMNS if name in epochs]
    epochs = epochs[[*first, *epochs.columns.difference(first, sort=False)]]
    texts = [name for name, dtype in epochs.dtypes.items() if dtype == "string" or dtype == "str"]
    epochs = epochs.astype(dict.fromkeys(texts, object))
    return epochs.set_axis(epochs.columns.astype(object), axis=1)


def copy_of_history(history: History) -> History:
    """Return a history that can grow, and forget batches, on its own."""
    return History({**epoch, "batches": [*epoch["batches"]]} for epoch in history)


def _of_batches(key: str) -> bool:
    """Whether skorch made the record for its own use; block names may end like its names."""
    return key.endswith(_BATCH_RECORDS) and not key.startswith("loss_")
