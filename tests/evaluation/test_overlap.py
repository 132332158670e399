import numpy as np
from scipy.sparse import csr_array

from helpers import MakeSet
from lightly_contrawarp.evaluation.overlap import Overlap, OverlapFacts, same_person
from lightly_contrawarp.evaluation.splits import own_space

DUPLICATES = np.array([[1, 0, 0], [0, 0, 0], [1, 1, 0]], bool)
SAME_PERSON = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], bool)


def test_overlap__leaves_out_both_kinds_of_pairs() -> None:
    overlap = Overlap(csr_array(DUPLICATES), csr_array(SAME_PERSON))
    found = overlap.left_out.toarray()
    np.testing.assert_array_equal(found, DUPLICATES | SAME_PERSON)
    assert overlap.facts == OverlapFacts(3, 3, without_neighbours=1)
    assert overlap.facts.words == (
        "Nearest neighbours leave out 3 pairs of near-duplicates and 3 pairs that show "
        "one person between training and test images. 1 test images have no neighbour "
        "left, and count as wrong."
    )


def test_overlap__of_nobody_known() -> None:
    overlap = Overlap(csr_array(DUPLICATES), None)
    np.testing.assert_array_equal(overlap.left_out.toarray(), DUPLICATES)
    assert overlap.facts == OverlapFacts(3, None, without_neighbours=0)
    assert overlap.facts.words == (
        "Nearest neighbours leave out 3 pairs of near-duplicates between training and "
        "test images."
    )


def test_same_person__goes_by_name(make_set: MakeSet) -> None:
    one, two = make_set("one", 4, people=2), make_set("second", 3, people=3)
    train, test = own_space(one).take(np.array([1, 4, 6])), own_space(two)
    found = same_person(test, train)
    assert found is not None
    names = np.array(two.identities)[:, None] == np.array(one.identities)[[1, 4, 6]]
    np.testing.assert_array_equal(found.toarray(), names)
    assert same_person(test, own_space(make_set("nobody", 2))) is None
