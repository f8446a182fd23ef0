# compute.parts: the target images of a stage over several jobs (tpld.dag.parts). Each writes
# .parts/<result>/<n>/<i>of<n>, with the shards (or rows, or counts) of its own images. They are inputs
# of the stage's own rule, which puts them together. A changed number of parts reruns nothing that is
# finished, for inputs count by the names that `behind` gives, and parts are not among them.


if parts.count > 1:

    # What is left for the stages' own rules is done in seconds.
    localrules:
        dump_source,
        dump,
        thresholds,
        label,
        label_easy,
        score,

    use rule dump as dump_part with:
        input:
            model=plan.model_before,
            images=layout.data("target_train"),
            parts=[],
        output:
            temp(directory(parts.piece("predictions.zarr"))),
        log:
            parts.note("dump_part.log"),
        benchmark:
            parts.note("dump_part.tsv")
        params:
            part=part_option,
            network=plan.network_option,
            settings=settings("dump"),
            code=behind("dump", plan.model_before),
        message:
            "predicting the target, part {wildcards.part} of {wildcards.parts}:"
            " {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"

    use rule dump_part as dump_source_part with:
        input:
            model=f"{SOURCE}/model.safetensors",
            images=layout.data("target_train"),
            parts=[],
        output:
            temp(directory(parts.piece("predictions.zarr", folder=SOURCE))),
        log:
            parts.note("dump_part.log", SOURCE),
        benchmark:
            parts.note("dump_part.tsv", SOURCE)
        message:
            "predicting the target with the source model, part {wildcards.part} of {wildcards.parts}:"
            " {wildcards.network}, seed {wildcards.seed}"

    use rule thresholds as count with:
        input:
            predictions=plan.predictions,
            parts=[],
        output:
            temp(parts.piece("thresholds.counts")),
        log:
            parts.note("count.log"),
        benchmark:
            parts.note("count.tsv")
        params:
            part=part_option,
            portion=plan.portion,
            settings=settings("thresholds"),
            code=behind("thresholds", plan.predictions),
        message:
            "counting confidences, part {wildcards.part} of {wildcards.parts}:"
            " {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"

    # All parts of the first count tell what the second one counts.
    use rule count as count_again with:
        input:
            predictions=plan.predictions,
            parts=parts.pieces("thresholds.counts"),
        output:
            temp(parts.piece("thresholds.csv")),
        log:
            parts.note("count_again.log"),
        benchmark:
            parts.note("count_again.tsv")
        message:
            "counting confidences again, part {wildcards.part} of {wildcards.parts}:"
            " {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"

    use rule label as label_part with:
        input:
            predictions=plan.predictions,
            thresholds=layout.round("{method}", "{seed}", "{round}", "thresholds.csv"),
            parts=[],
        output:
            temp(directory(parts.piece("labels.zarr", r"{round,round\d+}"))),
        log:
            parts.note("label_part.log"),
        benchmark:
            parts.note("label_part.tsv")
        params:
            part=part_option,
            settings=settings("label"),
            code=behind("label", plan.predictions, method=True),
        message:
            "pseudo labels, part {wildcards.part} of {wildcards.parts}:"
            " {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"

    use rule score as score_part with:
        input:
            predictions=plan.predictions,
            thresholds=layout.round("{method}", "{seed}", "{round}", "thresholds.csv"),
            parts=[],
        output:
            temp(parts.piece("confidence.csv")),
        log:
            parts.note("score_part.log"),
        benchmark:
            parts.note("score_part.tsv")
        params:
            part=part_option,
            settings=settings("score"),
            code=behind("confidence"),
        message:
            "image confidence, part {wildcards.part} of {wildcards.parts}:"
            " {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"

    use rule label_easy as label_easy_part with:
        input:
            predictions=plan.predictions,
            thresholds=layout.round("{method}", "{seed}", "{round}", "thresholds.csv"),
            split=layout.round("{method}", "{seed}", "{round}", "split.csv"),
            parts=[],
        output:
            temp(directory(parts.piece("labels.zarr", r"{round,phase2_round\d+}"))),
        log:
            parts.note("label_easy_part.log"),
        benchmark:
            parts.note("label_easy_part.tsv")
        params:
            part=part_option,
            settings=settings("label_easy"),
            code=behind("full_labels"),
        message:
            "full labels, part {wildcards.part} of {wildcards.parts}:"
            " {wildcards.method}, seed {wildcards.seed}, {wildcards.round}"
