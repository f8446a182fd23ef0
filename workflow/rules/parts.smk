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
        output:
            temp(directory(parts.piece("predictions.zarr"))),
        log:
            parts.note("dump_part.log"),
        benchmark:
            parts.note("dump_part.tsv")
        message:
            parts.message("predicting the target")

    use rule dump_source as dump_source_part with:
        output:
            temp(directory(parts.piece("predictions.zarr", folder=SOURCE))),
        log:
            parts.note("dump_part.log", SOURCE),
        benchmark:
            parts.note("dump_part.tsv", SOURCE)
        message:
            parts.message(
                "predicting the target with the source model", "network", "seed"
            )

    use rule thresholds as count with:
        output:
            temp(parts.piece("thresholds.counts")),
        log:
            parts.note("count.log"),
        benchmark:
            parts.note("count.tsv")
        message:
            parts.message("counting confidences")

    # All parts of the first count tell what the second one counts.
    use rule thresholds as count_again with:
        input:
            predictions=plan.predictions,
            parts=parts.pieces("thresholds.counts", of_parts=True),
        output:
            temp(parts.piece("thresholds.csv")),
        log:
            parts.note("count_again.log"),
        benchmark:
            parts.note("count_again.tsv")
        message:
            parts.message("counting confidences again")

    use rule label as label_part with:
        output:
            temp(directory(parts.piece("labels.zarr", r"{round,round\d+}"))),
        log:
            parts.note("label_part.log"),
        benchmark:
            parts.note("label_part.tsv")
        message:
            parts.message("pseudo labels")

    use rule score as score_part with:
        output:
            temp(parts.piece("confidence.csv")),
        log:
            parts.note("score_part.log"),
        benchmark:
            parts.note("score_part.tsv")
        message:
            parts.message("image confidence")

    use rule label_easy as label_easy_part with:
        output:
            temp(directory(parts.piece("labels.zarr", r"{round,phase2_round\d+}"))),
        log:
            parts.note("label_easy_part.log"),
        benchmark:
            parts.note("label_easy_part.tsv")
        message:
            parts.message("full labels")
