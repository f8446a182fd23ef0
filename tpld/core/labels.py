"""Numbers that label maps and origin maps are made of (METHOD 4, 5 and DESIGN 3)."""

IGNORE = 255
"""Label of a pixel that has none."""

ORIGIN_NONE = 0
"""Origin of a pixel that has no label."""

ORIGIN_CONFIDENT = 1
"""Origin of a pixel labelled by the base method, METHOD 4."""

ORIGIN_VOTED_FIRST = 2
"""Origin of a pixel labelled in voting iteration 1; iteration i writes 1 + i."""

ORIGIN_FULL = 254
"""Origin of a pixel labelled by the full pseudo label of phase 2, METHOD 9."""

MAX_CLASSES = 254
"""Class ids are uint8 and 255 is IGNORE; 254 is left free."""
