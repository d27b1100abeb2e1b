"""Take out of a docstring what gives away where it was written."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["Mask", "prose"]

# A doctest, from its prompt to the next blank line: code, and what it prints.
_EXAMPLE = re.compile(r"^[ \t]*>>>.*\n?(?:^.*\S.*\n?)*", re.MULTILINE)
# Version numbers name the package as well as its own name does.
_VERSION = re.compile(
    r"(?:\.\. )?(?:version(?:added|changed):|(?:deprecated|(?:current)?module)::)[^\n)]*"
)
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+")
_LABEL = re.compile(r":(?:ref|doc):`[^<`]*`")
_LINK_TARGET = re.compile(r"<[^<>`]+>`")
_NAME = re.compile(r"\w+(?:\.\w+)*")

# How the package is called in text and code, besides its import name.
_OTHER_NAMES = {
    "numpy": ("np",),
    "scipy": ("sp",),
    "sklearn": ("scikit-learn",),
    "pandas": ("pd",),
    "torch": ("pytorch", "libtorch"),
}


class Mask:
    """Removes package names, module paths and the words that areas are called by.

    The same words go from every text, whatever its own area: a word that were missing only where
    it is the answer would give the answer away.

    Parameters
    ----------
    areas : iterable of str
        Dotted paths such as ``"scipy.linalg"``.

    Examples
    --------
    >>> from skfusion.datasets._masking import Mask
    >>> mask = Mask(["numpy", "scipy.linalg", "sklearn.linear_model"])
    >>> mask("Like numpy.linalg.norm, but SciPy's; see np.sqrt, from_numpy and linear models.")
    "Like norm, but 's; see sqrt, from_ and ."
    """

    def __init__(self, areas: Iterable[str]) -> None:
        paths = [area.split(".") for area in areas]
        packages = {path[0] for path in paths}
        parts = {part for path in paths for part in path[1:]}
        self._packages = re.compile("|".join(sorted(packages)) or r"(?!)", re.IGNORECASE)
        self._modules = packages.union(*(_OTHER_NAMES.get(name, ()) for name in packages))
        self._words = self._modules | parts | {f"{part}s" for part in parts}
        spaced = {part.replace("_", " ") for part in parts if "_" in part}
        self._phrases = spaced | {name for name in self._modules if not name.isidentifier()}
        self._masked: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        words = self._without_phrases(" ".join(text.split())).split()
        # Few words are new: each is masked once, which makes this three times as fast.
        for word in set(words).difference(self._masked):
            self._masked[word] = _NAME.sub(self._mask_name, word)
        return " ".join(filter(None, map(self._masked.__getitem__, words)))

    def _without_phrases(self, text: str) -> str:
        """Remove names of several words: "linear model", "scikit-learn"."""
        lowered = text.lower()
        for phrase in self._phrases:
            if phrase in lowered:
                text = re.sub(rf"\b{phrase}s?\b", "", text, flags=re.IGNORECASE)
        return text

    def _mask_name(self, found: re.Match[str]) -> str:
        """Return what is left of a dotted name."""
        parts = found[0].split(".")
        if parts[0].lower() in self._modules:
            parts = parts[-1:]
        kept = ".".join(part for part in parts if part.lower() not in self._words)
        return self._packages.sub("", kept)


def prose(docstring: str) -> str:
    """Return ``docstring`` without examples, version notes, web addresses and link targets.

    Examples
    --------
    >>> from skfusion.datasets._masking import prose
    >>> prose("See :ref:`the guide<pca>`, https://numpy.org and :ref:`pca`.")
    'See :ref:`the guide`,  and .'
    """
    text = _VERSION.sub("", _EXAMPLE.sub("", docstring))
    return _LINK_TARGET.sub("`", _LABEL.sub("", _ADDRESS.sub("", text)))
