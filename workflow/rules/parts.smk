# compute.parts: the target images of a stage over several jobs. Each writes .parts/<result>/<i>of<n>,
# with the shards (or rows, or counts) of its own images -> <result>.parts/ -> the stage's own rule.
#
# <result>.parts/ is made with one part too, and empty then: Snakemake would otherwise take a changed
# number of parts for a changed input, and run finished stages again. For the same reason gather_parts
# has an output whose name is new in every run: of a job with such a one Snakemake has no record to
# compare its input with (it says so: "missing provenance"), and runs it where its output is wanted.


localrules:
    gather_parts,


rule gather_parts:
    input:
        pieces,
    output:
        parts=temp(directory("{folder}/{result}.parts")),
        new=temp(f"{{folder}}/.{{result}}.{RUN}"),
    log:
        "{folder}/logs/{result}.parts.log",
    wildcard_constraints:
        result=one_of(
            [
                "predictions.zarr",
                "thresholds.counts",
                "thresholds.csv",
                "labels.zarr",
                "confidence.csv",
            ]
        ),
    conda:
        "../../envs/tpld.yaml"
    threads: 1
    resources:
        mem_mb=500,
    message:
        "parts of {wildcards.folder}/{wildcards.result}: {input}"
    shell:
        "mkdir -p {output.parts} && touch {output.new} && for piece in {input}; do"
        " cp -al $piece {output.parts}/ 2>> {log} || cp -a $piece {output.parts}/ 2>> {log}; done"


if PARTS > 1:
    SOURCE = layout.source("{seed}", "", "{network}")

    # What is left for the stages' own rules is done in seconds.
    localrules:
        dump_source,
        dump,
        thresholds,
        label,
        label_easy,
        score,

    wildcard_constraints:
        part=r"\d+",
        parts=r"\d+",

    use rule dump_source as dump_source_part with:
        input:
            model=layout.source("{seed}", "model.safetensors", "{network}"),
            images=layout.data("target_train"),
        output:
            temp(directory(piece("predictions.zarr", folder=SOURCE))),
        log:
            note("dump_part.log", folder=SOURCE),
        benchmark:
            note("dump_part.tsv", folder=SOURCE)
        resources:
            **needs("dump", parts=PARTS),
        params:
            part=one_part,
            network=network_option,
            settings=settings_of_network("dump"),
            code=code("dump"),

    use rule dump as dump_part with:
        input:
            model=lambda w: layout.model_before(w.method, w.seed, w.round),
            images=layout.data("target_train"),
        output:
            temp(directory(piece("predictions.zarr"))),
        log:
            note("dump_part.log"),
        benchmark:
            note("dump_part.tsv")
        resources:
            **needs("dump", parts=PARTS),
        params:
            part=one_part,
            network=network_option,
            settings=settings("dump"),
            code=code("dump"),

    use rule thresholds as count with:
        input:
            predictions=lambda w: layout.predictions(w.method, w.seed, w.round),
        output:
            temp(piece("thresholds.counts")),
        log:
            note("count.log"),
        benchmark:
            note("count.tsv")
        resources:
            **needs("thresholds", parts=PARTS),
        params:
            part=one_part,
            portion=portion,
            settings=settings("thresholds"),
            code=code("thresholds"),

    use rule thresholds as count_again with:
        input:
            predictions=lambda w: layout.predictions(w.method, w.seed, w.round),
            counts=parts_of(
                layout.round("{method}", "{seed}", "{round}", "thresholds.counts")
            ),
        output:
            temp(piece("thresholds.csv")),
        log:
            note("count_again.log"),
        benchmark:
            note("count_again.tsv")
        resources:
            **needs("thresholds", parts=PARTS),
        params:
            part=second_count,
            portion=portion,
            settings=settings("thresholds"),
            code=code("thresholds"),

    use rule label as label_part with:
        input:
            predictions=lambda w: layout.predictions(w.method, w.seed, w.round),
            thresholds=layout.round("{method}", "{seed}", "{round}", "thresholds.csv"),
        output:
            temp(directory(piece("labels.zarr", r"{round,round\d+}"))),
        log:
            note("label_part.log"),
        benchmark:
            note("label_part.tsv")
        resources:
            **needs("label", parts=PARTS),
        params:
            part=one_part,
            settings=settings("label"),
            code=code_of_method("label"),

    use rule score as score_part with:
        input:
            predictions=lambda w: layout.predictions(w.method, w.seed, w.round),
            thresholds=layout.round("{method}", "{seed}", "{round}", "thresholds.csv"),
        output:
            temp(piece("confidence.csv")),
        log:
            note("score_part.log"),
        benchmark:
            note("score_part.tsv")
        resources:
            **needs("score", parts=PARTS),
        params:
            part=one_part,
            settings=settings("score"),
            code=code("confidence"),

    use rule label_easy as label_easy_part with:
        input:
            predictions=lambda w: layout.predictions(w.method, w.seed, w.round),
            thresholds=layout.round("{method}", "{seed}", "{round}", "thresholds.csv"),
            split=layout.round("{method}", "{seed}", "{round}", "split.csv"),
        output:
            temp(directory(piece("labels.zarr", r"{round,phase2_round\d+}"))),
        log:
            note("label_easy_part.log"),
        benchmark:
            note("label_easy_part.tsv")
        resources:
            **needs("label_easy", parts=PARTS),
        params:
            part=one_part,
            settings=settings("label_easy"),
            code=code("full_labels"),
