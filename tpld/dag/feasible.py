"""What a configuration asks for and its images cannot give: found before the first job."""

from __future__ import annotations

from tpld.config import Config
from tpld.core.split import split_by_confidence
from tpld.dag.plan import Plan
from tpld.dag.rows import phase2_rounds
from tpld.data.sources import city_counts
from tpld.errors import ConfigError
from tpld.methods import parse_method


def check_plan(plan: Plan) -> None:
    """Refuse a plan that would stop in the middle.

    Raises:
        ConfigError: see `check_split`.
    """
    listed = plan.files.listed("target_train")
    if listed is not None:  # else the check of the data says why
        images = len(listed.names) + city_counts(plan.config)["target_train"]
        check_split(plan.config, images)


def check_split(config: Config, images: int) -> None:
    """Refuse a split into easy and hard images that leaves phase 2 without one kind.

    Args:
        config: the configuration.
        images: number of target training images.

    Raises:
        ConfigError: a round of phase 2 would have no easy or no hard images.
    """
    names = [str(number) for number in range(images)]
    for row in map(parse_method, config.methods):
        section = config.of(row.name).phase2
        for number in range(phase2_rounds(config, row)):
            portion = min(1.0, section.easy_portion + section.easy_step * number)
            easy = len(split_by_confidence(names, [0.0] * images, portion))
            if 0 < easy < images:
                continue
            step = f" and easy_step {section.easy_step:g}" if section.easy_step else ""
            kind = "hard" if easy else "easy"
            raise ConfigError(
                f"methods: '{row.name}' needs easy and hard target images, and round {number} of "
                f"its phase 2 has no {kind} ones: phase2.easy_portion {section.easy_portion:g}"
                f"{step} of {images} target training image{'s' * (images != 1)}. Change "
                "easy_portion, give more target images, or set phase2.rounds: 0"
            )
