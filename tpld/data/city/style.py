"""What the two domains of the procedural city look like: classes, palettes and ranges.

Every number that makes source and target differ is in this file, so that the size of the domain
gap can be read, and changed, in one place.
"""

from __future__ import annotations

from dataclasses import dataclass

RGB = tuple[float, float, float]
Range = tuple[float, float]

CITY_CLASSES: tuple[tuple[str, tuple[int, int, int]], ...] = (
    ("road", (128, 64, 128)),
    ("sidewalk", (244, 35, 232)),
    ("building", (70, 70, 70)),
    ("fence", (190, 153, 153)),
    ("pole", (153, 153, 153)),
    ("traffic_sign", (220, 220, 0)),
    ("vegetation", (107, 142, 35)),
    ("terrain", (152, 251, 152)),
    ("sky", (70, 130, 180)),
    ("person", (220, 20, 60)),
    ("rider", (255, 0, 0)),
    ("car", (0, 0, 142)),
    ("truck", (0, 0, 70)),
    ("bicycle", (119, 11, 32)),
)
"""(name, colour) in order of the class id; names (with _ for a space) and colours of Cityscapes."""

IGNORE = 255
(
    ROAD,
    SIDEWALK,
    BUILDING,
    FENCE,
    POLE,
    SIGN,
    VEGETATION,
    TERRAIN,
    SKY,
    PERSON,
    RIDER,
    CAR,
    TRUCK,
    BICYCLE,
) = range(len(CITY_CLASSES))


@dataclass(frozen=True)
class Style:
    """One domain. Lengths in metres, colours in 0..1, image lengths as a share of the image."""

    # Camera
    eye: Range  # height above the road
    horizon: Range  # row of the horizon, share of the image height
    focal: Range  # focal length, share of the image width
    sway: float  # how far the vanishing point strays sideways, share of the width
    bonnet: Range  # height of the ego car's bonnet, share of the image height
    # Street
    storeys: Range
    flush: float  # chance that a building stands right at the pavement, without a garden
    gap: float  # chance that a plot is a park
    gable: float  # chance that a low building has a pitched roof
    # Mean numbers of things in a scene
    parked: float  # chance that a parking slot is taken
    moving: float
    trucks: float
    persons: float
    riders: float
    bicycles: float
    signs: float
    tree_spacing: Range
    # Colours
    walls: tuple[RGB, ...]
    leaves: tuple[RGB, ...]
    grass: RGB
    paints: tuple[RGB, ...]
    clothes: tuple[RGB, ...]
    asphalt: RGB
    paving: RGB
    # Light
    ambient: RGB
    sun: RGB
    sky_top: RGB
    sky_low: RGB
    cloud: RGB
    cloudiness: Range
    haze: RGB
    visibility: Range  # distance at which 63 % of the contrast is gone
    lit_windows: float
    glow: float  # how brightly lamps shine
    # Sensor
    gain: RGB
    contrast: Range
    brightness: Range
    vignette: Range
    blur: Range  # Gaussian radius in pixels at a width of 512
    noise: Range  # standard deviation, 0..1


SOURCE = Style(
    eye=(1.3, 1.55),
    horizon=(0.43, 0.49),
    focal=(0.82, 0.92),
    sway=0.05,
    bonnet=(0.03, 0.045),
    storeys=(2, 7),
    flush=0.55,
    gap=0.16,
    gable=0.6,
    parked=0.42,
    moving=2.6,
    trucks=0.75,
    persons=4.5,
    riders=1.5,
    bicycles=1.1,
    signs=3.0,
    tree_spacing=(9.0, 16.0),
    walls=(
        (0.71, 0.45, 0.35),
        (0.80, 0.70, 0.54),
        (0.86, 0.82, 0.73),
        (0.62, 0.56, 0.52),
        (0.74, 0.60, 0.45),
        (0.78, 0.78, 0.77),
        (0.60, 0.36, 0.29),
    ),
    leaves=((0.25, 0.45, 0.14), (0.32, 0.50, 0.18), (0.20, 0.38, 0.15), (0.38, 0.50, 0.17)),
    grass=(0.38, 0.55, 0.21),
    paints=(
        (0.75, 0.10, 0.10),
        (0.85, 0.86, 0.88),
        (0.13, 0.27, 0.58),
        (0.55, 0.57, 0.60),
        (0.12, 0.12, 0.14),
        (0.88, 0.76, 0.22),
        (0.18, 0.42, 0.30),
    ),
    clothes=(
        (0.80, 0.20, 0.18),
        (0.18, 0.30, 0.65),
        (0.90, 0.88, 0.84),
        (0.20, 0.50, 0.35),
        (0.92, 0.72, 0.20),
        (0.25, 0.22, 0.28),
        (0.55, 0.35, 0.60),
    ),
    asphalt=(0.40, 0.40, 0.42),
    paving=(0.68, 0.65, 0.61),
    ambient=(0.50, 0.54, 0.62),
    sun=(0.56, 0.52, 0.43),
    sky_top=(0.30, 0.53, 0.90),
    sky_low=(0.74, 0.86, 0.98),
    cloud=(0.98, 0.98, 1.0),
    cloudiness=(0.2, 0.6),
    haze=(0.78, 0.86, 0.95),
    visibility=(350.0, 600.0),
    lit_windows=0.0,
    glow=0.35,
    gain=(1.0, 1.0, 1.0),
    contrast=(0.98, 1.08),
    brightness=(-0.02, 0.03),
    vignette=(0.0, 0.08),
    blur=(0.35, 0.5),
    noise=(0.006, 0.012),
)

TARGET = Style(
    eye=(1.9, 2.4),
    horizon=(0.34, 0.42),
    focal=(0.70, 0.80),
    sway=0.09,
    bonnet=(0.04, 0.07),
    storeys=(3, 12),
    flush=0.68,
    gap=0.12,
    gable=0.15,
    parked=0.24,
    moving=1.6,
    trucks=0.6,
    persons=7.5,
    riders=2.0,
    bicycles=1.3,
    signs=3.0,
    tree_spacing=(11.0, 20.0),
    walls=(
        (0.52, 0.54, 0.58),
        (0.60, 0.57, 0.52),
        (0.44, 0.45, 0.50),
        (0.66, 0.66, 0.68),
        (0.52, 0.42, 0.38),
        (0.40, 0.46, 0.50),
    ),
    leaves=((0.40, 0.36, 0.14), (0.48, 0.34, 0.13), (0.33, 0.36, 0.18), (0.28, 0.33, 0.17)),
    grass=(0.42, 0.43, 0.22),
    paints=(
        (0.16, 0.17, 0.19),
        (0.60, 0.61, 0.62),
        (0.32, 0.33, 0.35),
        (0.82, 0.82, 0.82),
        (0.28, 0.12, 0.12),
        (0.15, 0.20, 0.30),
    ),
    clothes=(
        (0.16, 0.16, 0.19),
        (0.25, 0.22, 0.20),
        (0.20, 0.25, 0.35),
        (0.42, 0.40, 0.38),
        (0.45, 0.16, 0.15),
        (0.60, 0.55, 0.45),
    ),
    asphalt=(0.37, 0.36, 0.38),
    paving=(0.55, 0.54, 0.55),
    ambient=(0.71, 0.71, 0.76),
    sun=(0.3, 0.25, 0.18),
    sky_top=(0.46, 0.59, 0.83),
    sky_low=(0.88, 0.82, 0.77),
    cloud=(0.85, 0.8, 0.82),
    cloudiness=(0.3, 0.8),
    haze=(0.77, 0.76, 0.77),
    visibility=(120.0, 250.0),
    lit_windows=0.22,
    glow=0.85,
    gain=(1.02, 0.97, 0.95),
    contrast=(0.89, 1.0),
    brightness=(-0.04, 0.03),
    vignette=(0.07, 0.22),
    blur=(0.7, 1.2),
    noise=(0.015, 0.035),
)
