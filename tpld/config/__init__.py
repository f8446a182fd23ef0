"""The typed configuration: the one source of keys, defaults, bounds and their documentation.

Defaults are the paper's values (METHOD.md); ``config.yaml`` overrides them with an experiment that
a laptop finishes in minutes, the files in ``workflow/presets`` with one data set each. The JSON
schema in ``workflow/schemas`` is generated from here (``tpld schema``), and a test keeps it so.

One module a topic: `data` (images, classes), `evaluation` (protocols), `model` (network, compute),
`labels` (predictions, thresholds, voting), `training` (source, rounds, phase 2, adversarial),
`root` (the whole), `reading` (YAML), `load` (checking it), `explain` (saying what is wrong with
it). Keys of a single method are in its own file in `tpld.methods`.
"""

from tpld.config.data import ClassEntry, Data, Domain
from tpld.config.evaluation import Evaluation, Protocol
from tpld.config.labels import Voting
from tpld.config.load import load_config, load_merged
from tpld.config.model import Compute
from tpld.config.reading import check_files
from tpld.config.root import Config
from tpld.config.training import Adversarial, Jitter, Loss, Phase2, SelfTraining, SourceTraining

__all__ = [
    "Adversarial",
    "ClassEntry",
    "Compute",
    "Config",
    "Data",
    "Domain",
    "Evaluation",
    "Jitter",
    "Loss",
    "Phase2",
    "Protocol",
    "SelfTraining",
    "SourceTraining",
    "Voting",
    "check_files",
    "load_config",
    "load_merged",
]
