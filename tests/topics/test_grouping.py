"""The tree of groups: every leaf once, groups of a least size, and the same tree for the same rows."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

from cpa_core.topics.grouping import NEIGHBOURS, GroupTree, cut, neighbours, tree_of
from cpa_core.topics.vectors import unit

if TYPE_CHECKING:
    from cpa_core.topics.vectors import Vectors


def rows(count: int, planted: int, seed: int = 0, noise: float = 0.1) -> "Vectors":
    """Rows of length one around so many planted directions, in turn."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(planted, 12))
    return unit(centres[np.arange(count) % planted] + noise * random.normal(size=(count, 12)))


@pytest.mark.parametrize("vectors", [rows(2, 1), rows(15, 1), rows(300, 3), rows(120, 5, noise=0.0), rows(61, 60)])
def test_a_tree_has_every_leaf_once_and_sums_them(vectors: "Vectors") -> None:
    tree = tree_of(vectors)
    assert sorted(tree.members(tree.root)) == list(range(len(vectors)))
    sizes = tree.sums([1] * len(vectors))
    assert all(sizes[node] == len(list(tree.members(node))) for node in range(tree.root + 1))
    assert tree_of(vectors) == tree


@pytest.mark.parametrize("most", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("least", [1, 15, 40, 500])
def test_a_cut_has_groups_that_share_no_leaf_and_are_large_enough(most: int, least: int) -> None:
    tree = tree_of(rows(300, 3))
    groups = [list(tree.members(node)) for node in cut(tree, most, least)]
    assert len(groups) <= most and all(len(group) >= least for group in groups)
    leaves = [leaf for group in groups for leaf in group]
    assert len(set(leaves)) == len(leaves)
    assert bool(groups) is (least <= 300) and (least > 1 or len(groups) == most)


def test_planted_directions_are_the_groups() -> None:
    tree = tree_of(rows(300, 3))
    groups = {frozenset(leaf % 3 for leaf in tree.members(node)) for node in cut(tree, 3, 15)}
    assert groups == {frozenset({0}), frozenset({1}), frozenset({2})}


def test_a_part_that_is_too_small_falls_off() -> None:
    leaves = tuple((n,) for n in range(5))
    tree = GroupTree(leaves, ((0, 1), (2, 3), (5, 6), (7, 4)))  # a leaf far from two pairs
    assert cut(tree, 2, 2) == [5, 6] and cut(tree, 1, 2) == [8] and cut(tree, 9, 3) == [7]


def test_equal_rows_are_one_leaf_and_never_parted() -> None:
    vectors = rows(40, 40)
    vectors[10:30] = vectors[0]
    tree = tree_of(vectors)
    assert len(tree.leaves) == 20 and (0, *range(10, 30)) in tree.leaves
    assert [0, *range(10, 30)] in [sorted(tree.members(node)) for node in cut(tree, 50, 15)]
    assert tree_of(np.repeat(vectors[:1], 30, axis=0)) == GroupTree((tuple(range(30)),), ())


@pytest.mark.parametrize("vectors", [rows(5, 2), rows(1_100, 4), rows(100, 1, noise=0.0)])
def test_neighbours_are_mutual_and_nobody_is_its_own(vectors: "Vectors") -> None:
    near = neighbours(vectors)
    assert (near != near.T).nnz == 0 and near.diagonal().sum() == 0
    assert near.sum(axis=1).min() >= min(NEIGHBOURS, len(vectors) - 1)
