"""Texts as vectors, without a model or a download: words and characters by TF-IDF, then a truncated SVD.

Characters stand beside words because many languages write no spaces. scikit-learn (the extra `topics`):
https://scikit-learn.org/stable/modules/decomposition.html#about-truncated-svd-and-latent-semantic-analysis-lsa
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cpa_core.extras import not_installed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

WANTED = "finding topics"
DIMENSIONS = 32
"""More of them spread texts so far that HDBSCAN calls half of them noise; fewer join topics (benchmarks/topics.py)."""
FEATURES = 10_000
"""Words, and as many pieces of words, that a space knows at most: the most frequent ones."""
LEAST_TEXTS, MOST_TEXTS = 3, 0.5
"""A feature is known from so many texts on, and up to such a share of the texts."""
ANALYZERS: dict[str, dict[str, Any]] = {
    "words": {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w\w+\b"},
    "characters": {"analyzer": "char_wb", "ngram_range": (3, 5)},
}


@dataclass(frozen=True)
class Space:
    """A space that is fixed once made: for each kind of feature its names and weights, and `directions` of the SVD.

    `directions` has a row for each feature, words first, and a column for each dimension.
    """

    features: dict[str, tuple[str, ...]]
    weights: dict[str, "Vectors"]
    directions: "Vectors"

    def counted(self, kind: str, texts: Sequence[str]) -> Any:
        """The TF-IDF of one kind of feature as a sparse matrix: a row for each text, of length one."""
        text = module("sklearn.feature_extraction.text")
        names = self.features[kind]
        if not names:
            return module("scipy.sparse").csr_matrix((len(texts), 0), dtype="float32")
        counts = text.CountVectorizer(vocabulary=names, **ANALYZERS[kind]).transform(texts).astype("float32")
        counts.data = 1 + module("numpy").log(counts.data)
        weighed = counts.multiply(self.weights[kind]).tocsr()
        return module("sklearn.preprocessing").normalize(weighed)

    def vectors(self, texts: Sequence[str]) -> "Vectors":
        """A row of length one for each text; zeros for a text of which the space knows nothing."""
        if not texts:
            return self.directions[:0]
        matrix = module("scipy.sparse").hstack([self.counted(kind, texts) for kind in ANALYZERS]).tocsr()
        return _unit(matrix @ self.directions)

    def written(self) -> str:
        """The space as text (base64 of a compressed archive of arrays), for one column of a table."""
        np = module("numpy")
        out = io.BytesIO()
        arrays = {f"{kind}_weights": self.weights[kind] for kind in ANALYZERS}
        names = {f"{kind}_features": np.array(self.features[kind], dtype=np.str_) for kind in ANALYZERS}
        np.savez_compressed(out, directions=self.directions, **arrays, **names)
        return base64.b64encode(out.getvalue()).decode()

    @classmethod
    def read(cls, written: str) -> "Space":
        """The space that `written` gave; the arrays hold no code."""
        with module("numpy").load(io.BytesIO(base64.b64decode(written)), allow_pickle=False) as arrays:
            features = {kind: tuple(str(one) for one in arrays[f"{kind}_features"]) for kind in ANALYZERS}
            weights = {kind: arrays[f"{kind}_weights"] for kind in ANALYZERS}
            return cls(features, weights, arrays["directions"])


def space_of(texts: Sequence[str]) -> Space | None:
    """The space of these texts in this order; None where too few features are shared. The same texts give the same.

    Raises SettingsError where scikit-learn is not installed.
    """
    np = module("numpy")
    features: dict[str, tuple[str, ...]] = {}
    weights: dict[str, Vectors] = {}
    for kind, analyzer in ANALYZERS.items():
        features[kind], weights[kind] = _known(texts, analyzer)
    if sum(map(len, features.values())) <= 2 or len(texts) <= 2:
        return None
    bare = Space(features, weights, np.zeros((0, 0), dtype="float32"))
    matrix = module("scipy.sparse").hstack([bare.counted(kind, texts) for kind in ANALYZERS]).tocsr()
    dimensions = min(DIMENSIONS, min(matrix.shape) - 1)
    decomposition = module("sklearn.decomposition").TruncatedSVD(dimensions, random_state=0).fit(matrix)
    return Space(features, weights, np.ascontiguousarray(decomposition.components_.T, dtype="float32"))


def _known(texts: Sequence[str], analyzer: dict[str, Any]) -> tuple[tuple[str, ...], "Vectors"]:
    """The features that texts share, in order, and their inverse document frequencies (smoothed, as scikit-learn's)."""
    np = module("numpy")
    vectorizer = module("sklearn.feature_extraction.text").CountVectorizer(binary=True, dtype="int32", **analyzer)
    try:
        counts = vectorizer.fit_transform(texts)
    except ValueError:  # scikit-learn's word for texts without any feature, such as stop words or blanks only
        return (), np.zeros(0, dtype="float32")
    names = vectorizer.get_feature_names_out()
    found = np.asarray(counts.sum(axis=0)).ravel()
    usual = np.flatnonzero((found >= LEAST_TEXTS) & (found <= MOST_TEXTS * len(texts)))
    chosen = np.sort(usual[np.lexsort((usual, -found[usual]))][:FEATURES])
    weights = np.log((1 + len(texts)) / (1 + found[chosen])) + 1
    return tuple(str(one) for one in names[chosen]), weights.astype("float32")


def _unit(rows: Any) -> "Vectors":
    np = module("numpy")
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Vectors = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0).astype("float32")
    return unit


def module(name: str) -> Any:
    """A module of the extra. Raises SettingsError, with the extra that brings it."""

    try:
        return import_module(name)
    except ModuleNotFoundError as missing:
        raise not_installed(missing, WANTED) from missing
