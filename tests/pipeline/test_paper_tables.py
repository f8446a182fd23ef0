"""The plan of the paper's tables, by a dry run without any data: every row once, stages shared."""

import re
from collections import Counter

import pytest

from .conftest import copy_project

pytestmark = pytest.mark.pipeline


def test_table1_plans_every_row_once_and_shares_what_can_be_shared(tmp_path):
    project = copy_project(tmp_path / "project")
    output = project.snakemake(
        "table1", "--dry-run", "--printshellcmds", preset="workflow/presets/gta5_cityscapes.yaml"
    )
    commands = Counter(re.findall(r"\btpld ([a-z0-9-]+ +--.*)", output))
    assert max(commands.values()) == 1
    stages = Counter(command.split()[0] for command in commands)
    # 4 + 7 + 4 rows on 3 networks, 3 of them TPLD's (6 + 3 rounds), 6 plain ones (3 rounds).
    assert stages["check-data"] == 1
    assert stages["prepare"] == 3
    assert stages["train-source"] == 3
    assert stages["evaluate"] == 15
    assert stages["train-adversarial"] == 3
    assert stages["train-round"] == 3 * 6 + 6 * 3
    assert stages["train-phase2"] == 3 * 3
    assert stages["dump"] == 3 + 36 + 9 - 9  # the first of each self-training row is shared
    assert stages["table"] == 1
    assert "planned without its files: source_train: image folder ../data/gta5/images" in output
