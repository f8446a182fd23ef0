"""What rules ask of a plan, without Snakemake."""

from types import SimpleNamespace

import pytest

from tpld.config import load_config
from tpld.dag.parts import Parts, part_option
from tpld.dag.plan import Plan
from tpld.dag.targets import Targets
from tpld.errors import ConfigError
from tpld.stores.code import code_hash

TREE = {"model": {"weights": "random"}, "source_training": {"batch_norm": "train"}}


def plan_of(**changes) -> Plan:
    return Plan(load_config({**TREE, **changes}))


class Wildcards(SimpleNamespace):
    def items(self):
        return vars(self).items()


def test_a_result_rests_on_its_code_and_on_what_it_is_made_from():
    plan = plan_of(self_training={"base_rounds": 2})
    of = plan.behind("dump", plan.model_before)
    first, second = (of(Wildcards(method="cbst", seed="0", round=f"round{r}")) for r in range(2))
    assert first[0] == second[0] == code_hash("tpld.stages.dump")
    assert first[1].endswith("source/deeplabv2_resnet101/seed0/model.safetensors")
    assert second[1].endswith("cbst/seed0/round0/model.safetensors")


def test_the_code_of_a_method_counts_where_the_stage_asks_it():
    of = plan_of().behind("label", method=True)
    cbst, lrent = (of(Wildcards(method=name)) for name in ("cbst", "crst_lrent+tpld"))
    assert cbst[0] == lrent[0]
    assert cbst[1] == code_hash("tpld.methods.cbst")
    assert lrent[1] == code_hash("tpld.methods.crst_lrent")


@pytest.mark.parametrize(("count", "names"), [(1, []), (3, ["0of3", "1of3", "2of3"])])
def test_pieces_of_a_result(count, names):
    plan = plan_of(compute={"parts": count})
    job = Wildcards(method="cbst", seed="0", round="round1")
    found = Parts(plan.layout).pieces("labels.zarr")(job)
    folder = "results/city/cbst/seed0/round1/.parts/labels.zarr/3"
    assert found == [f"{folder}/{name}" for name in names]
    part = Wildcards(**vars(job), part="0", parts="3")
    assert Parts(plan.layout).pieces("labels.zarr")(part) == []
    counts = Parts(plan.layout).pieces("thresholds.counts", of_parts=True)
    assert len(counts(part)) == len(names)


def test_a_part_says_which_it_is_and_the_whole_says_nothing():
    assert part_option(Wildcards(part="0", parts="3")) == "--part 0/3"
    assert part_option(Wildcards(method="cbst")) == ""


def test_putting_parts_together_needs_little_and_a_part_its_share():
    plan = plan_of(compute={"parts": 2, "device": "cpu"})
    whole = plan.need(Wildcards(method="cbst"), "label", (), 2)
    part = plan.need(Wildcards(method="cbst", part="0", parts="2"), "label", (), 2)
    study = plan.need(Wildcards(), "label", ("target_train",), 2)
    assert whole.mem_mb == 1000
    assert study.mem_mb > whole.mem_mb  # it labels all images by itself
    assert part.mem_mb > whole.mem_mb


def test_the_network_option_names_other_networks_alone():
    row = "cbst@deeplabv2_resnet34"
    networks = {"deeplabv2_resnet34": {"weights": "random"}}
    plan = plan_of(methods=["cbst", row], networks=networks)
    assert plan.network_option(Wildcards(method="cbst")) == ""
    assert plan.network_option(Wildcards(method=row)) == "--network deeplabv2_resnet34"
    assert plan.network_option(Wildcards(network="deeplabv2_resnet34")) == (
        "--network deeplabv2_resnet34"
    )


def test_tables_are_made_from_every_row_and_seed():
    plan = plan_of(methods=["source", "cbst+tpld"], seeds=[0, 1])
    targets = Targets(plan)
    found = targets.evaluations()
    assert len(found) == 2 * 2 + 2  # target_val of both rows, source_val of the source row
    assert len([path for path in found if path.endswith("source_val.csv")]) == 2
    assert len(targets.final_models()) == 4
    assert len(targets.first_labels()) == 2
    assert len(targets.first_splits()) == 6
    with pytest.raises(ConfigError, match="names no row that the paper has"):
        targets.of_table("table1")


def test_a_study_without_its_rows_is_refused():
    with pytest.raises(ConfigError, match="needs a self-training row in `methods`"):
        Targets(plan_of(methods=["source"])).first_labels()
    with pytest.raises(ConfigError, match="needs a row with phase 2"):
        Targets(plan_of(methods=["cbst"])).first_splits()
