"""The docstrings of the scientific Python packages that are installed anyway."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from skfusion._checks import check_choice, check_int
from skfusion.datasets._masking import Mask, prose
from skfusion.datasets._public_objects import PublicObject, public_objects
from skfusion.exceptions import ParameterError

__all__ = ["load_docstrings"]

_PACKAGES = ("numpy", "scipy", "sklearn", "pandas", "torch")
_MIN_CHARACTERS = 200
_SEE_ALSO = re.compile(r"^See Also\n-+\s*\n((?:.*\S.*\n?)+)", re.MULTILINE)
_MEMORY_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_COUNTED = {"n_sections": "\n---", "n_examples": ">>>", "n_formulas": "math:"}


def load_docstrings(
    packages: Sequence[str] = _PACKAGES,
    *,
    min_per_area: int = 20,
    return_X_y: bool = False,
) -> Bunch | tuple[pd.DataFrame, pd.Series]:
    """Load the docstrings of installed packages, to tell the area of the package from.

    Real text, call signatures and numbers, with no download. A row is one public class,
    function or other callable (no methods, which repeat their class) whose prose has at least
    200 characters. Each object is there once: one that several namespaces offer belongs to the
    one it was made in, and of equal texts the first by name stays. What is found depends on the
    versions that are installed; rows are sorted by name, so that one installation always gives
    the same table.

    Parameters
    ----------
    packages : sequence of str, default=("numpy", "scipy", "sklearn", "pandas", "torch")
        Which of these five to read.
    min_per_area : int, default=20
        Areas with fewer rows are left out.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a ``Bunch``.

    Returns
    -------
    data : Bunch
        data : DataFrame of shape (n_documents, 11)
            ``text`` (str): the prose of the docstring.
            ``signature`` (str): name and call signature, None where Python cannot tell it (many
            compiled functions). The rest are numbers (float): ``n_parameters``, ``n_defaults``
            and ``n_annotations``, counted in the signature, NaN where there is none;
            ``n_characters`` of the text; ``n_lines``, ``n_sections``, ``n_examples`` (prompts),
            ``n_formulas`` and ``n_see_also`` (entries) of the whole docstring.
        target : ndarray of str of shape (n_documents,)
            The area: the first two parts of the public module path, such as ``"scipy.signal"``
            or ``"torch.nn"``; the package alone for what it offers at its top.
        frame : DataFrame of shape (n_documents, 12)
            ``data`` with the column ``area``.
        names : ndarray of str of shape (n_documents,)
            Dotted path of each object. Gives the answer away: not for learning.
        feature_names, target_names : list of str
        DESCR : str
    (data, target) : tuple of DataFrame and ndarray
        If ``return_X_y``.

    Raises
    ------
    ParameterError
        For no package or one other than the five, a ``min_per_area`` below 1, or one that no
        area reaches.

    Notes
    -----
    **What is masked.** A docstring may name the module it is from, and then there is nothing to
    learn. Out of ``text`` and ``signature`` go, in any case of letters,

    - the names of the packages, anywhere, also inside a word (``from_numpy``), and their usual
      short names (``np``, ``sp``, ``pd``, PyTorch, scikit-learn) as words;
    - module paths in front of a name: ``scipy.linalg.norm`` becomes ``norm``;
    - the words that areas are called by, singular and plural: "linalg", "random", "special",
      "signals", "linear model". They go from *every* text, not just from those of their own
      area, since a gap at the answer would be the answer. So some ordinary words are lost;
    - examples (from ``>>>`` to the next blank line), since they begin with imports;
    - version notes (``versionadded`` and the like), web addresses and targets of links.

    What stays is what a reader could tell an area by: its subject, its vocabulary ("tensor",
    "frame") and the habits of its authors. Names of functions stay as well, and with them now
    and then an abbreviation that is akin to an area's name (``rfft``).

    Examples
    --------
    >>> from skfusion.datasets import load_docstrings
    >>> docstrings = load_docstrings(("numpy",), min_per_area=15)
    >>> docstrings.data[["text", "signature", "n_parameters"]].dtypes.map(str).to_list()[-1]
    'float64'
    >>> "numpy.linalg" in docstrings.target_names
    True
    >>> row = docstrings.names.tolist().index("numpy.linalg.norm")
    >>> docstrings.data["signature"][row]
    'norm(x, ord=None, axis=None, keepdims=False)'
    >>> docstrings.data["text"][row][:22]
    'Matrix or vector norm.'
    """
    objects = public_objects(_check_packages(packages))
    table = _table(objects, check_int("min_per_area", min_per_area))
    data = table.drop(columns=["area", "name"])
    target = table["area"].to_numpy(dtype=str)
    return (data, target) if return_X_y else _bunch(data, target, table)


def _check_packages(packages: Sequence[str]) -> list[str]:
    names = [packages] if isinstance(packages, str) else list(packages)
    if not names:
        raise ParameterError(f"packages must name at least one of {_PACKAGES}. Got none.")
    for name in names:
        check_choice("each of packages", name, _PACKAGES)
    return sorted(set(names), key=_PACKAGES.index)


def _table(objects: list[PublicObject], min_per_area: int) -> pd.DataFrame:
    mask = Mask({item.area for item in objects})
    rows = pd.DataFrame([_row(item, mask) for item in objects])
    rows = rows[rows["n_characters"] >= _MIN_CHARACTERS].drop_duplicates("text")
    members = Counter(rows["area"])
    largest = max(members.values())
    if largest < min_per_area:
        raise ParameterError(
            f"min_per_area must leave at least one area. Got {min_per_area}, and the largest area "
            f"has {largest} rows. Lower it, or read more packages."
        )
    return rows[rows["area"].map(members) >= min_per_area].reset_index(drop=True)


def _row(item: PublicObject, mask: Mask) -> dict[str, object]:
    docstring = inspect.cleandoc(item.value.__doc__ or "")
    signature = _signature(item.value)
    text = mask(prose(docstring))
    return {
        "area": item.area,
        "name": item.path,
        "text": text,
        "signature": None if signature is None else mask(_call(item.name, signature)),
        **_signature_counts(signature),
        "n_characters": float(len(text)),
        "n_lines": float(docstring.count("\n") + 1),
        **{name: float(docstring.count(mark)) for name, mark in _COUNTED.items()},
        "n_see_also": float(_count_see_also(docstring)),
    }


def _signature(value: Callable[..., object]) -> inspect.Signature | None:
    try:
        return inspect.signature(value)
    except (ValueError, TypeError):
        return None


def _call(name: str, signature: inspect.Signature) -> str:
    # A default without a repr of its own shows its address, which is another in each process.
    return _MEMORY_ADDRESS.sub("", f"{name}{signature}")


def _signature_counts(signature: inspect.Signature | None) -> dict[str, float]:
    if signature is None:
        return dict.fromkeys(("n_parameters", "n_defaults", "n_annotations"), np.nan)
    parameters = signature.parameters.values()
    return {
        "n_parameters": float(len(parameters)),
        "n_defaults": _count(parameter.default for parameter in parameters),
        "n_annotations": _count(parameter.annotation for parameter in parameters),
    }


def _count(values: Iterable[object]) -> float:
    return float(sum(value is not inspect.Parameter.empty for value in values))


def _count_see_also(docstring: str) -> int:
    """Count the entries of the section "See Also"; lines further in describe one."""
    section = _SEE_ALSO.search(docstring)
    return sum(not line[:1].isspace() for line in section[1].splitlines()) if section else 0


def _bunch(data: pd.DataFrame, target: np.ndarray, table: pd.DataFrame) -> Bunch:
    return Bunch(
        data=data,
        target=target,
        frame=data.assign(area=target),
        names=table["name"].to_numpy(dtype=str),
        feature_names=list(data.columns),
        target_names=sorted(set(target.tolist())),
        DESCR=inspect.getdoc(load_docstrings),
    )
