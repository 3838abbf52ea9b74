"""The registry: buckets by name and by owner, in S3's order, unharmed by its readers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from buckets.registry import BucketState, Registry

NAMES = st.from_regex(r"\A[a-z0-9][a-z0-9.-]{1,10}[a-z0-9]\Z")


def state(bucket_id: int, name: str, owner: str) -> BucketState:
    """Make a bucket."""
    return BucketState(bucket_id, name, owner, owner.title(), "us-east-1", 1000 + bucket_id)


@given(st.dictionaries(NAMES, st.sampled_from(["ada", "bob", "eve"])))
def test_agrees_with_a_dictionary(owners: dict[str, str]) -> None:
    """Finding and listing answer as a plain dictionary would, sorted by UTF-8 bytes."""
    registry = Registry(state(i, name, who) for i, (name, who) in enumerate(owners.items()))
    in_order = sorted(owners, key=str.encode)
    assert [bucket.name for bucket in registry.all()] == in_order
    assert len(registry) == len(owners)
    for who in ("ada", "bob", "eve", "nobody"):
        expected = [name for name in in_order if owners[name] == who]
        assert [bucket.name for bucket in registry.owned_by(who)] == expected
    for name, who in owners.items():
        found = registry.find(name)
        assert found is not None
        assert found.owner_canonical_id == who


def test_finds_nothing_else() -> None:
    """A name that is no bucket's, even one in another case, is not found."""
    registry = Registry([state(1, "photos", "ada")])
    assert registry.find("photo") is None
    assert registry.find("Photos") is None


def test_a_list_handed_out_is_the_callers_own() -> None:
    """Changing a list that the registry gave does not change the registry."""
    registry = Registry([state(1, "photos", "ada")])
    registry.all().clear()
    registry.owned_by("ada").clear()
    assert len(registry.all()) == len(registry.owned_by("ada")) == 1


@given(
    before=st.dictionaries(NAMES, st.sampled_from(["ada", "bob"])),
    come=st.dictionaries(NAMES, st.sampled_from(["ada", "bob"])),
    data=st.data(),
)
def test_a_changed_registry_is_the_one_made_anew(
    before: dict[str, str], come: dict[str, str], data: st.DataObject
) -> None:
    """What went is not there, what came is, in order; the registry before stays as it was."""
    gone = data.draw(st.sets(st.sampled_from(sorted(before)))) if before else set()
    first = {name: state(i, name, who) for i, (name, who) in enumerate(before.items())}
    new = {name: state(100 + i, name, who) for i, (name, who) in enumerate(come.items())}
    gone |= before.keys() & come.keys()  # a name is one bucket's at a time
    registry = Registry(first.values())
    after = registry.changed([first[name] for name in gone], list(new.values()))
    left = {name: bucket for name, bucket in first.items() if name not in gone} | new
    for known, expected in ((registry, Registry(first.values())), (after, Registry(left.values()))):
        assert known.all() == expected.all()
        for who in ("ada", "bob"):
            assert known.owned_by(who) == expected.owned_by(who)
