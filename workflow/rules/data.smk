# Data: image and label folders (or a seed) -> data/check.csv, data/<split>/, data/*_truth/
#
# data/target_train holds images alone. Its ground truth, where there is any, is in
# data/target_train_truth, which no training rule takes as input.


def data_fingerprint(split, *files):
    """Names, sizes and times of a split's image or label files: a changed one rebuilds its cache."""
    if cfg.data.kind == "city":
        return None
    try:
        items = list_items(cfg, split)
    except TpldError as error:
        return str(error)  # check_data will say it
    paths = [getattr(item, file) for item in items for file in files]
    stats = [(path.as_posix(), path.stat()) for path in paths if path]
    return digest([(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats])


def data_files(split):
    """Files that stand for a split: the city's folder, or the split's list."""
    if cfg.data.kind == "city":
        return [city_root(cfg).as_posix()]
    domain = domain_of(cfg, split)
    name = domain.train if split.endswith("train") else domain.val
    return [name] if name else []


def prepare_keys(split):
    """Keys that the decoded arrays depend on: size, and the class table where there are labels."""
    return [
        cfg.data.kind,
        domain_of(cfg, split).resize,
        cfg.data.cache_gib,
        [(e.id, e.name) for e in folder_data(cfg).classes],
        folder_data(cfg).ignored_ids,
    ]


if cfg.data.kind == "city":

    rule make_city:
        output:
            directory(city_root(cfg).as_posix()),
        params:
            settings=cfg.get("data.city"),
            code=code_hash("tpld.data.city"),
        log:
            layout.data("logs/make_city.log"),
        benchmark:
            layout.data("logs/make_city.tsv")
        threads: 1
        resources:
            mem_mb=1000,
        message:
            "drawing the procedural city"
        shell:
            "tpld make-city --config {CONFIG} --out {output} --log {log}"


rule check_data:
    input:
        lambda _: sorted({f for s in SPLITS if has_split(cfg, s) for f in data_files(s)}),
    output:
        layout.data("check.csv"),
    params:
        files=[data_fingerprint(s, "image", "label") for s in SPLITS if has_split(cfg, s)],
        settings=[cfg.data.kind, cfg.get("data.folder")],
        code=code("check"),
    log:
        layout.data("logs/check_data.log"),
    benchmark:
        layout.data("logs/check_data.tsv")
    threads: THREADS
    resources:
        mem_mb=2000,
    message:
        "checking every image and label"
    shell:
        "tpld check-data --config {CONFIG} --out {output} --log {log}"


rule prepare:
    input:
        check=layout.data("check.csv"),
        files=lambda w: data_files(w.split),
    output:
        directory(layout.data("{split}")),
    params:
        # Of the target training images, the pixels alone.
        labels=lambda w: "--no-labels"
        if w.split == "target_train" or not has_truth(cfg, w.split)
        else "--labels",
        files=lambda w: data_fingerprint(
            w.split, "image", *(["label"] if w.split != "target_train" else [])
        ),
        settings=lambda w: prepare_keys(w.split),
        code=code("prepare"),
    log:
        layout.data("logs/prepare_{split}.log"),
    benchmark:
        layout.data("logs/prepare_{split}.tsv")
    threads: THREADS
    resources:
        mem_mb=2000,
    message:
        "decoding {wildcards.split}"
    shell:
        "tpld prepare --config {CONFIG} --split {wildcards.split} --images {params.labels}"
        " --out {output} --log {log}"


rule prepare_truth:
    input:
        check=layout.data("check.csv"),
        files=data_files("target_train"),
    output:
        directory(layout.data("target_train_truth")),
    params:
        files=data_fingerprint("target_train", "label"),
        settings=prepare_keys("target_train"),
        code=code("prepare"),
    log:
        layout.data("logs/prepare_target_train_truth.log"),
    benchmark:
        layout.data("logs/prepare_target_train_truth.tsv")
    threads: THREADS
    resources:
        mem_mb=2000,
    message:
        "decoding the ground truth of target_train (for reports alone)"
    shell:
        "tpld prepare --config {CONFIG} --split target_train --no-images --labels"
        " --out {output} --log {log}"
