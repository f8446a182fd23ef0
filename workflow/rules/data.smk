# Data: image and label folders (or a seed) -> data/check.csv, data/<split>/, data/*_truth/
#
# data/target_train holds images alone. Its ground truth, where there is any, is in
# data/target_train_truth, which no training rule takes as input.


if cfg.data.draws_city:

    rule make_city:
        output:
            directory(city_root(cfg).as_posix()),
        log:
            layout.data("logs/make_city.log"),
        benchmark:
            layout.data("logs/make_city.tsv")
        conda:
            "../../envs/tpld.yaml"
        threads: THREADS
        resources:
            mem_mb=1000,
        params:
            settings=[cfg.get("data.city"), city_counts(cfg)],
            code=code_hash("tpld.data.city.draw"),
        message:
            "drawing the procedural city"
        shell:
            "tpld make-city --out {output} --log {log}"


rule check_data:
    input:
        files.inputs(*files.splits()),
    output:
        layout.data("check.csv"),
    log:
        layout.data("logs/check_data.log"),
    benchmark:
        layout.data("logs/check_data.tsv")
    conda:
        "../../envs/tpld.yaml"
    threads: THREADS
    resources:
        **needs("check_data", *files.splits()),
    params:
        files=[files.fingerprint(split, "image", "label") for split in files.splits()],
        settings=files.checked(),
        code=behind("check"),
    message:
        "checking every image and label"
    shell:
        "tpld check-data --out {output} --log {log}"


rule prepare:
    input:
        check=layout.data("check.csv"),
        files=lambda w: files.inputs(w.split),
    output:
        directory(layout.data("{split}")),
    log:
        layout.data("logs/prepare_{split}.log"),
    benchmark:
        layout.data("logs/prepare_{split}.tsv")
    conda:
        "../../envs/tpld.yaml"
    threads: THREADS
    resources:
        **needs("prepare"),
    params:
        # Of the target training images, the pixels alone.
        labels=lambda w: (
            "--no-labels"
            if w.split == "target_train" or not files.truth(w.split)
            else "--labels"
        ),
        files=lambda w: files.fingerprint(
            w.split, "image", *([] if w.split == "target_train" else ["label"])
        ),
        settings=lambda w: files.keys(w.split),
        code=behind("prepare"),
    message:
        "decoding {wildcards.split}"
    shell:
        "tpld prepare --split {wildcards.split} --images {params.labels}"
        " --out {output} --log {log}"


rule prepare_truth:
    input:
        check=layout.data("check.csv"),
        files=files.inputs("target_train"),
    output:
        directory(layout.data("target_train_truth")),
    log:
        layout.data("logs/prepare_target_train_truth.log"),
    benchmark:
        layout.data("logs/prepare_target_train_truth.tsv")
    conda:
        "../../envs/tpld.yaml"
    threads: THREADS
    resources:
        **needs("prepare"),
    params:
        files=files.fingerprint("target_train", "label"),
        settings=files.keys("target_train"),
        code=behind("prepare"),
    message:
        "decoding the ground truth of target_train (for reports alone)"
    shell:
        "tpld prepare --split target_train --no-images --labels"
        " --out {output} --log {log}"
