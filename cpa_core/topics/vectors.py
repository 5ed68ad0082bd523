"""Texts as vectors, without a model or a download: words and characters by TF-IDF, a truncated SVD of each, and shape.

Characters stand beside words because many languages write no spaces. The shape of a text tells small talk from orders
and questions, which may share their words. scikit-learn (the extra `topics`):
https://scikit-learn.org/stable/modules/decomposition.html#about-truncated-svd-and-latent-semantic-analysis-lsa
"""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from cpa_core.errors import SettingsError
from cpa_core.extras import not_installed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

WANTED = "finding topics"
DIMENSIONS = 100
"""Of words, and as many of characters (benchmarks/topics.py)."""
FITTED = 10_000
"""Texts that the directions are made from, the first ones: more of them take time and change little."""
SHAPE_WEIGHT, SHAPE_MOST = 0.2, 2.0
"""The weight of each measure of shape beside words and characters, and the most standard deviations that count."""
ROUNDING = 1e-6
"""The difference from one of a length that is one but for rounding: to divide by it would change the numbers again."""
FEATURES = 10_000
"""Words, and as many pieces of words, that a space knows at most: the most frequent ones."""
LEAST_TEXTS, MOST_TEXTS = 3, 0.5
"""A feature is known from so many texts on, and up to such a share of the texts."""
ANALYZERS: dict[str, dict[str, Any]] = {
    "words": {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w\w+\b"},
    "characters": {"analyzer": "char_wb", "ngram_range": (3, 5)},
}


class Embedding(NamedTuple):
    """A model that makes the vectors, as provider:model. `vectors` returns a row for each text, zeros without one."""

    model: str
    vectors: Callable[[Sequence[str]], "Vectors"]


@dataclass(frozen=True)
class Space:
    """A space that is fixed once made: for each kind of feature its names and weights, and `directions` of the SVD.

    `directions` has a row for each feature, words first, and a column for each dimension. `blocks` counts the columns
    of each kind, which have a length of one each; empty in a space of an earlier version, which has one block and no
    shape. `shape` has the mean and the standard deviation of each measure of shape, as two rows.

    With an `embedding`, a model makes the vectors. Then `features` has words only, for names of topics, and
    `directions` has no row.
    """

    features: dict[str, tuple[str, ...]]
    weights: dict[str, "Vectors"]
    directions: "Vectors"
    blocks: tuple[int, ...] = ()
    shape: "Vectors | None" = None
    embedding: Embedding | None = None

    @property
    def model(self) -> str:
        """The model that makes the vectors; empty where words and characters do."""
        return self.embedding.model if self.embedding else ""

    @property
    def dimensions(self) -> int:
        """The columns of a vector."""
        return int(self.directions.shape[1]) + (0 if self.shape is None else int(self.shape.shape[1]))

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
        if self.embedding:
            return unit(self._by_model(self.embedding, texts))
        if not texts:
            return self.directions[:0]
        matrix = module("scipy.sparse").hstack([self.counted(kind, texts) for kind in ANALYZERS]).tocsr()
        found = matrix @ self.directions
        if self.shape is None:
            return unit(found)
        np = module("numpy")
        known = unit(np.hstack([unit(block) for block in np.split(found, np.cumsum(self.blocks)[:-1], axis=1)]))
        mean, deviation = self.shape
        shape = np.divide(shapes(texts) - mean, deviation, out=np.zeros((len(texts), len(mean))), where=deviation > 0)
        shape = SHAPE_WEIGHT * np.clip(shape, -SHAPE_MOST, SHAPE_MOST)
        is_known = (known != 0).any(axis=1, keepdims=True)
        return unit(np.hstack([known, shape * is_known]))

    def _by_model(self, embedding: Embedding, texts: Sequence[str]) -> "Vectors":
        """The model's vectors; zeros where it has none for any text. Raises SettingsError for those of another size."""
        found = embedding.vectors(texts)
        size = found.shape[1]
        if size not in (0, self.dimensions):
            raise SettingsError(
                f"{self.model}: its vectors have {size} numbers, and those of the topics {self.dimensions}: the "
                "server's model has changed, so give it another name in CPA_EMBEDDINGS"
            )
        nothing: Vectors = module("numpy").zeros((len(texts), self.dimensions), dtype="float32")
        return found if size else nothing

    def written(self) -> str:
        """The space as text (base64 of a compressed archive of arrays), for one column of a table."""
        np = module("numpy")
        out = io.BytesIO()
        arrays = {f"{kind}_weights": self.weights[kind] for kind in ANALYZERS}
        names = {f"{kind}_features": np.array(self.features[kind], dtype=np.str_) for kind in ANALYZERS}
        if self.shape is not None:
            arrays |= {"shape": self.shape, "blocks": np.array(self.blocks)}
        if self.embedding:
            arrays |= {"embedding": np.array(self.model)}
        directions = self.directions.astype("float16") if self.shape is not None else self.directions
        np.savez_compressed(out, directions=directions, **arrays, **names)
        return base64.b64encode(out.getvalue()).decode()

    @classmethod
    def read(cls, written: str, embedding_of: Callable[[str], Embedding] | None = None) -> "Space":
        """The space that `written` gave; the arrays hold no code.

        `embedding_of` returns a model by its name; without it, a space of a model's vectors raises SettingsError.
        """
        with module("numpy").load(io.BytesIO(base64.b64decode(written)), allow_pickle=False) as arrays:
            features = {kind: tuple(str(one) for one in arrays[f"{kind}_features"]) for kind in ANALYZERS}
            weights = {kind: arrays[f"{kind}_weights"] for kind in ANALYZERS}
            directions = arrays["directions"].astype("float32")
            if "embedding" in arrays:
                if embedding_of is None:
                    raise SettingsError(f"these topics need the vectors of {arrays['embedding']}")
                return cls(features, weights, directions, embedding=embedding_of(str(arrays["embedding"])))
            if "shape" not in arrays:
                return cls(features, weights, directions)
            return cls(features, weights, directions, tuple(map(int, arrays["blocks"])), arrays["shape"])


def space_of(texts: Sequence[str], embedding: Embedding | None = None) -> Space | None:
    """The space of these texts in this order; None where too few features are shared. The same texts give the same.

    With an embedding, its vectors make the space. Raises SettingsError where scikit-learn is not installed.
    """
    np = module("numpy")
    if embedding:
        return _embedded(texts, embedding)
    features: dict[str, tuple[str, ...]] = {}
    weights: dict[str, Vectors] = {}
    for kind, analyzer in ANALYZERS.items():
        features[kind], weights[kind] = _known(texts, analyzer)
    if sum(map(len, features.values())) <= 2 or len(texts) <= 2:
        return None
    bare = Space(features, weights, np.zeros((0, 0), dtype="float32"))
    directions = [_directions(bare.counted(kind, texts[:FITTED])) for kind in ANALYZERS]
    whole = np.zeros(np.sum([one.shape for one in directions], axis=0), dtype="float32")
    for one, row, column in zip(directions, (0, len(directions[0])), (0, directions[0].shape[1]), strict=True):
        whole[row : row + one.shape[0], column : column + one.shape[1]] = one
    measured = shapes(texts)
    shape = np.array([measured.mean(axis=0), measured.std(axis=0)], dtype="float32")
    return Space(features, weights, whole, tuple(one.shape[1] for one in directions), shape)


def _embedded(texts: Sequence[str], embedding: Embedding) -> Space:
    np = module("numpy")
    names, weights = _known(texts, ANALYZERS["words"])
    none = np.zeros(0, dtype="float32")
    size = embedding.vectors(texts).shape[1]
    known = {"words": weights, "characters": none}
    return Space({"words": names, "characters": ()}, known, np.zeros((0, size), dtype="float32"), embedding=embedding)


def _directions(matrix: Any) -> "Vectors":
    """The directions of one kind of feature, rounded as they are written; no column where there are too few of them."""
    np = module("numpy")
    dimensions = min(DIMENSIONS, min(matrix.shape) - 1)
    found: Vectors = np.zeros((matrix.shape[1], 0), dtype="float32")
    if dimensions >= 1:
        components = module("sklearn.decomposition").TruncatedSVD(dimensions, random_state=0).fit(matrix).components_
        found = np.ascontiguousarray(components.T.astype("float16").astype("float32"))
    return found


def shapes(texts: Sequence[str]) -> "Vectors":
    """Four measures of each text: its words and its words a line, as logarithms, question marks a line, and lines."""
    np = module("numpy")
    lines = [text.count("\n") + 1 for text in texts]
    words = [len(text.split()) for text in texts]
    rows = [
        (np.log1p(count), np.log1p(count / many), text.count("?") / many, many)
        for text, count, many in zip(texts, words, lines, strict=True)
    ]
    found: Vectors = np.array(rows, dtype="float32").reshape(len(texts), 4)
    return found


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


def unit(rows: Any) -> "Vectors":
    """The rows, each divided by its length. A row of zeros, or of length one, is returned unchanged to the last bit."""
    np = module("numpy")
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    length[np.abs(length - 1) < ROUNDING] = 1
    found: Vectors = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0).astype("float32")
    return found


def module(name: str) -> Any:
    """A module of the extra. Raises SettingsError, with the extra that brings it."""

    try:
        return import_module(name)
    except ModuleNotFoundError as missing:
        raise not_installed(missing, WANTED) from missing
