import pytest

from tpld.stores.atomic import replacing


def test_a_file_appears_whole(tmp_path):
    target = tmp_path / "deep" / "f.txt"
    with replacing(target) as partial:
        partial.write_text("new")
        assert not target.exists()
        assert partial.parent == target.parent  # a rename must not cross file systems
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_keeps_what_was_there(tmp_path, error):
    target = tmp_path / "f.txt"
    target.write_text("old")
    with pytest.raises(error), replacing(target) as partial:
        partial.write_text("half")
        raise error
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_replaces_a_folder_that_is_not_empty(tmp_path):
    target = tmp_path / "store"
    target.mkdir()
    (target / "old").write_text("x")
    with replacing(target) as partial:
        partial.mkdir()
        (partial / "new").write_text("y")
        assert (target / "old").exists()
    assert [p.name for p in target.iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["store"]


def test_what_a_killed_writer_left_is_removed(tmp_path):
    stale = tmp_path / ".store.partial"
    stale.mkdir()
    (stale / "junk").write_text("x")
    with replacing(tmp_path / "store") as partial:
        assert not partial.exists()
        partial.write_text("file now")
    assert (tmp_path / "store").read_text() == "file now"
