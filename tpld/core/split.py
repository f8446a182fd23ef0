"""The easy and the hard images of phase 2 (METHOD 8)."""

import math
from collections.abc import Sequence

from tpld.core import checks

# 0.29 * 100 is 28.999999999999996; the share meant is 29 of 100.
_ROUNDING = 1e-9


def split_by_confidence(
    names: Sequence[str], confidences: Sequence[float], easy_portion: float = 0.30
) -> list[str]:
    """Names of the easy images, most confident first; all others are hard. METHOD 8 [L 30 %].

    names: unique image names; confidences: conf_t of each; ties break by name, ascending.
    Easy are the floor(n * easy_portion) most confident, but at least one where easy_portion > 0,
    and at least one image stays hard where easy_portion < 1 (a single image is then hard): the
    adversarial training of METHOD 9 needs both. Raises ValueError for names that are not unique,
    lengths that differ, or a confidence that is NaN.
    """
    portion = checks.share("easy_portion", easy_portion)
    if len(names) != len(confidences):
        raise ValueError(f"{len(names)} names but {len(confidences)} confidences")
    if len(set(names)) != len(names):
        repeated = sorted({name for name in names if list(names).count(name) > 1})
        raise ValueError(f"image names are not unique: {', '.join(repeated[:5])}")
    pairs = [(-float(score), name) for score, name in zip(confidences, names, strict=True)]
    unknown = [name for score, name in pairs if math.isnan(score)]
    if unknown:
        raise ValueError(f"confidence is NaN for {len(unknown)} images, the first is {unknown[0]}")
    easy = [name for _, name in sorted(pairs)]
    return easy[: _number_easy(len(easy), portion)]


def _number_easy(images: int, portion: float) -> int:
    number = math.floor(images * portion + _ROUNDING)
    if portion > 0:
        number = max(number, 1)
    return min(number, images if portion == 1 else max(images - 1, 0))
