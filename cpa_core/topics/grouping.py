"""Groups of vectors: a tree of neighbours, merged by Ward's criterion, and cut into groups of some size.

A text is short, so its vector is first moved to the mean of its nearest neighbours. Only neighbours are merged, so that
time grows with their number and not with the square of the texts:
https://scikit-learn.org/stable/modules/clustering.html#adding-connectivity-constraints
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from cpa_core.topics.vectors import module, unit

if TYPE_CHECKING:
    from cpa_core.topics.vectors import Vectors

NEIGHBOURS, ROUNDS = 20, 2
"""Neighbours of a text, and how many times it moves to their mean (benchmarks/topics.py)."""
AT_ONCE = 1_000
"""Rows whose distances from all others are in memory together."""


@dataclass(frozen=True)
class GroupTree:
    """A tree of groups of rows. `leaves` has the rows of each leaf: equal ones are never parted.

    `merges` has the two parts of each inner node; leaves are numbered first, as scikit-learn does.
    """

    leaves: tuple[tuple[int, ...], ...]
    merges: tuple[tuple[int, int], ...]

    @property
    def root(self) -> int:
        """The node of all rows."""
        return len(self.leaves) + len(self.merges) - 1

    def parts(self, node: int) -> tuple[int, ...]:
        """The two nodes that a node was merged from; none of a leaf."""
        return self.merges[node - len(self.leaves)] if node >= len(self.leaves) else ()

    def members(self, node: int) -> Iterator[int]:
        """The rows below a node."""
        left = [node]
        while left:
            one = left.pop()
            yield from self.leaves[one] if one < len(self.leaves) else ()
            left += self.parts(one)

    def sums(self, counts: Sequence[int]) -> list[int]:
        """For each node, the sum of these counts of its rows."""
        found = [sum(counts[row] for row in rows) for rows in self.leaves]
        for one, other in self.merges:
            found.append(found[one] + found[other])
        return found


def tree_of(vectors: "Vectors") -> GroupTree:
    """The tree of rows of length one. The same rows in the same order give the same tree.

    Equal rows are one leaf: as neighbours of each other they would make the time grow with the square of their number.
    """
    equal: dict[bytes, list[int]] = {}
    for row, vector in enumerate(vectors):
        equal.setdefault(vector.tobytes(), []).append(row)
    leaves = tuple(map(tuple, equal.values()))
    if len(leaves) < 2:
        return GroupTree(leaves, ())
    smooth = vectors[[rows[0] for rows in leaves]]
    near = neighbours(smooth)
    for _ in range(ROUNDS):
        smooth = _averaged(smooth, near)
    smooth = unit(smooth)
    merges, *_ = module("sklearn.cluster").ward_tree(smooth, connectivity=_connected(neighbours(smooth)))
    return GroupTree(leaves, tuple((int(one), int(other)) for one, other in merges))


def neighbours(vectors: "Vectors") -> Any:
    """Which rows are near to each other, as a symmetric sparse matrix of ones and zeros."""
    np = module("numpy")
    count = len(vectors)
    most = min(NEIGHBOURS, count - 1)
    nearest = np.empty((count, most), dtype="int64")
    for first in range(0, count, AT_ONCE):
        distances = -(vectors[first : first + AT_ONCE] @ vectors.T)
        rows = np.arange(len(distances))
        distances[rows, first + rows] = np.inf
        nearest[first : first + AT_ONCE] = np.argpartition(distances, most - 1, axis=1)[:, :most]
    ones = np.ones(nearest.size, dtype="float32")
    near = module("scipy.sparse").csr_matrix(
        (ones, nearest.ravel(), np.arange(0, nearest.size + 1, most)), shape=(count, count)
    )
    return near.maximum(near.T)


def _averaged(vectors: "Vectors", near: Any) -> "Vectors":
    """Each row as the mean of itself and its neighbours."""
    np = module("numpy")
    sums = near @ vectors + vectors
    means: Vectors = (sums / (1 + np.asarray(near.sum(axis=1)))).astype("float32")
    return means


def _connected(near: Any) -> Any:
    """The same neighbours, with a link from each part that stands alone to the next."""
    np, sparse = module("numpy"), module("scipy.sparse")
    count, labels = module("scipy.sparse.csgraph").connected_components(near, directed=False)
    firsts = np.unique(labels, return_index=True)[1]
    links = sparse.csr_matrix((np.ones(count - 1, dtype="float32"), (firsts[:-1], firsts[1:])), shape=near.shape)
    return near.maximum(links).maximum(links.T)


def cut(tree: GroupTree, most: int, least: int) -> list[int]:
    """At most so many groups of a tree, each of at least so many rows; the last merge is undone first.

    A part that is smaller falls off: its rows are in no group.
    """
    sizes = tree.sums([1] * sum(map(len, tree.leaves)))
    open_nodes = [-tree.root] if sizes[tree.root] >= least else []
    done: list[int] = []
    while open_nodes and len(open_nodes) + len(done) < most:
        node = -heappop(open_nodes)
        large = [one for one in tree.parts(node) if sizes[one] >= least]
        for one in large:
            heappush(open_nodes, -one)
        done += [] if large else [node]
    return sorted([*done, *(-one for one in open_nodes)])
