from tpld.viewer.catalogue import Catalogue


def test_a_variant_with_another_network_has_the_dump_of_that_network(tmp_path):
    dump = tmp_path / "source" / "small" / "seed0" / "predictions.zarr"
    labels = tmp_path / "cbst@small~window7" / "seed0" / "round0" / "labels.zarr"
    for folder in (dump, labels):
        folder.mkdir(parents=True)
    assert Catalogue(tmp_path).place("cbst@small~window7", 0, "round0").predictions == dump
