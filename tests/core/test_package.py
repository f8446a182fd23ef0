import re
import subprocess
import sys
from importlib import import_module

import tpld.core

NUMPY_ONLY = [
    "schedule", "thresholds", "selection", "voting", "full_labels", "confidence", "split", "mining",
    "labels", "checks", "mixture", "fastmath",
]  # fmt: skip


def test_numpy_modules_import_no_torch():
    code = "import sys; " + "; ".join(f"import tpld.core.{m}" for m in NUMPY_ONLY)
    code += "; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_function_in_the_table_of_rules_exists():
    named = re.findall(r"\b([a-z_]+)\.([A-Za-z_]+)", tpld.core.__doc__.split("**The excess")[0])
    assert len(named) >= 18
    for module, function in named:
        assert hasattr(import_module(f"tpld.core.{module}"), function), (module, function)
