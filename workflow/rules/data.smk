# Data: image and label folders (or a seed) -> data/check.csv, data/<split>/, data/*_truth/
#
# data/target_train holds images alone. Its ground truth, where there is any, is in
# data/target_train_truth, which no training rule takes as input.


if cfg.data.kind == "city":

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
            settings=cfg.get("data.city"),
            code=code_hash("tpld.data.city.draw"),
        message:
            "drawing the procedural city"
        shell:
            "tpld make-city --out {output} --log {log}"


rule check_data:
    input:
        lambda _: sorted(
            {f for s in SPLITS if has_split(cfg, s) for f in data_files(s)}
        ),
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
        **needs("check_data", *SPLITS),
    params:
        files=[
            data_fingerprint(split, file)
            for split in SPLITS
            if has_split(cfg, split)
            for file in ("image", "label")
        ],
        settings=[cfg.data.kind, cfg.get("data.folder"), cfg.get("data.datasets")],
        code=code("check"),
    message:
        "checking every image and label"
    shell:
        "tpld check-data --out {output} --log {log}"


rule prepare:
    input:
        check=layout.data("check.csv"),
        files=lambda w: data_files(w.split),
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
            if w.split == "target_train" or not has_truth(cfg, w.split)
            else "--labels"
        ),
        files=lambda w: [
            data_fingerprint(w.split, file)
            for file in (
                ["image"] if w.split == "target_train" else ["image", "label"]
            )
        ],
        settings=lambda w: prepare_keys(w.split),
        code=code("prepare"),
    message:
        "decoding {wildcards.split}"
    shell:
        "tpld prepare --split {wildcards.split} --images {params.labels}"
        " --out {output} --log {log}"


rule prepare_truth:
    input:
        check=layout.data("check.csv"),
        files=data_files("target_train"),
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
        files=data_fingerprint("target_train", "label"),
        settings=prepare_keys("target_train"),
        code=code("prepare"),
    message:
        "decoding the ground truth of target_train (for reports alone)"
    shell:
        "tpld prepare --split target_train --no-images --labels"
        " --out {output} --log {log}"
