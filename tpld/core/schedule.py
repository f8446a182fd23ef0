"""Numbers that change from round to round or from step to step (METHOD 1, 3 and 7)."""

# Sums like 0.20 + 3 * 0.05 carry an error of 1e-17 that would show in every report.
_DECIMALS = 12


def portion_of_round(
    round_index: int, start: float = 0.20, step: float = 0.05, maximum: float = 0.50
) -> float:
    """Share of each class's pixels to select in round `round_index` (from 0). METHOD 3 [C].

    min(start + step * round_index, maximum). Raises ValueError for a negative round.
    """
    return _growing(round_index, start, step, maximum)


def source_share_of_round(
    round_index: int, start: float = 0.03, step: float = 0.0025, maximum: float = 0.06
) -> float:
    """Share of the source images to train on in round `round_index` (from 0). METHOD 7 [C].

    min(start + step * round_index, maximum). Raises ValueError for a negative round.
    """
    return _growing(round_index, start, step, maximum)


def polynomial_decay(step: int, total_steps: int, power: float = 0.9) -> float:
    """Factor on the learning rate at `step` (from 0): (1 - step / total_steps)^power. METHOD 1 [C].

    1 at the first step, 0 from `total_steps` on. Raises ValueError for step < 0 or total_steps < 1.
    """
    if step < 0 or total_steps < 1:
        raise ValueError(f"step {step} of {total_steps}: expected step >= 0 and total_steps >= 1")
    return max(0.0, 1.0 - step / total_steps) ** power


def _growing(round_index: int, start: float, step: float, maximum: float) -> float:
    if round_index < 0:
        raise ValueError(f"round_index is {round_index}; rounds count from 0")
    return min(round(start + step * round_index, _DECIMALS), maximum)
