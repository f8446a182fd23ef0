import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("tpld", deadline=None, max_examples=40, derandomize=True)
settings.load_profile("tpld")


@pytest.fixture(scope="session")
def golden():
    """Loader of the golden vectors: beside the checkout, or in $TPLD_SHARED."""
    shared = os.environ.get("TPLD_SHARED") or Path(__file__).resolve().parents[3] / "shared"
    folder = Path(shared) / "golden"

    def load(name):
        path = folder / f"{name}.npz"
        if not path.exists():
            pytest.skip(f"no golden vectors at {path}; set TPLD_SHARED to the folder of golden/")
        with np.load(path) as data:
            return {key: data[key] for key in data.files}

    return load
