"""Mapillary Vistas, the 66 labels of version 1.2: palette PNGs whose index is the label.

`mapillary_1_2` is the place of these labels in the package of version 2.0, `mapillary_1_1` that in
the packages before it. Classes as public projects on domain generalisation map them to Cityscapes.
"""

from __future__ import annotations

from dataclasses import replace

from tpld.data.datasets.base import Dataset, Label, Part

MAPILLARY_1_2 = Dataset(
    kind="mapillary_1_2",
    name="mapillary",
    title="Mapillary Vistas 1.2",
    labels=(
        Label(0, "animal--bird", None),
        Label(1, "animal--ground-animal", None),
        Label(2, "construction--barrier--curb", "sidewalk"),
        Label(3, "construction--barrier--fence", "fence"),
        Label(4, "construction--barrier--guard-rail", None),
        Label(5, "construction--barrier--other-barrier", None),
        Label(6, "construction--barrier--wall", "wall"),
        Label(7, "construction--flat--bike-lane", None),
        Label(8, "construction--flat--crosswalk-plain", None),
        Label(9, "construction--flat--curb-cut", None),
        Label(10, "construction--flat--parking", None),
        Label(11, "construction--flat--pedestrian-area", None),
        Label(12, "construction--flat--rail-track", None),
        Label(13, "construction--flat--road", "road"),
        Label(14, "construction--flat--service-lane", None),
        Label(15, "construction--flat--sidewalk", "sidewalk"),
        Label(16, "construction--structure--bridge", None),
        Label(17, "construction--structure--building", "building"),
        Label(18, "construction--structure--tunnel", None),
        Label(19, "human--person", "person"),
        Label(20, "human--rider--bicyclist", "rider"),
        Label(21, "human--rider--motorcyclist", "rider"),
        Label(22, "human--rider--other-rider", "rider"),
        Label(23, "marking--crosswalk-zebra", None),
        Label(24, "marking--general", "road"),
        Label(25, "nature--mountain", None),
        Label(26, "nature--sand", None),
        Label(27, "nature--sky", "sky"),
        Label(28, "nature--snow", None),
        Label(29, "nature--terrain", "terrain"),
        Label(30, "nature--vegetation", "vegetation"),
        Label(31, "nature--water", None),
        Label(32, "object--banner", None),
        Label(33, "object--bench", None),
        Label(34, "object--bike-rack", None),
        Label(35, "object--billboard", None),
        Label(36, "object--catch-basin", None),
        Label(37, "object--cctv-camera", None),
        Label(38, "object--fire-hydrant", None),
        Label(39, "object--junction-box", None),
        Label(40, "object--mailbox", None),
        Label(41, "object--manhole", "road"),
        Label(42, "object--phone-booth", None),
        Label(43, "object--pothole", None),
        Label(44, "object--street-light", None),
        Label(45, "object--support--pole", "pole"),
        Label(46, "object--support--traffic-sign-frame", None),
        Label(47, "object--support--utility-pole", "pole"),
        Label(48, "object--traffic-light", "traffic_light"),
        Label(49, "object--traffic-sign--back", None),
        Label(50, "object--traffic-sign--front", "traffic_sign"),
        Label(51, "object--trash-can", None),
        Label(52, "object--vehicle--bicycle", "bicycle"),
        Label(53, "object--vehicle--boat", None),
        Label(54, "object--vehicle--bus", "bus"),
        Label(55, "object--vehicle--car", "car"),
        Label(56, "object--vehicle--caravan", None),
        Label(57, "object--vehicle--motorcycle", "motorcycle"),
        Label(58, "object--vehicle--on-rails", "train"),
        Label(59, "object--vehicle--other-vehicle", None),
        Label(60, "object--vehicle--trailer", None),
        Label(61, "object--vehicle--truck", "truck"),
        Label(62, "object--vehicle--wheeled-slow", None),
        Label(63, "void--car-mount", None),
        Label(64, "void--ego-vehicle", None),
        Label(65, "void--unlabeled", None),
    ),
    train=Part("training/images", "training/v1.2/labels"),
    val=Part("validation/images", "validation/v1.2/labels"),
    image_suffix=".jpg",
    label_suffix=".png",
    layout="{training,validation}/images/*.jpg and {training,validation}/v1.2/labels/*.png, as in "
    "the package of version 2.0 (of an older package, with {training,validation}/labels, use kind "
    "mapillary_1_1)",
    source="the Mapillary Vistas site, after registration: the package of version 2.0, which has "
    "these labels, too",
    # Up to 22 megapixels, most of them 4:3.
    resize=(1536, 2048),
)

MAPILLARY_1_1 = replace(
    MAPILLARY_1_2,
    kind="mapillary_1_1",
    title="Mapillary Vistas 1.1",
    train=Part("training/images", "training/labels"),
    val=Part("validation/images", "validation/labels"),
    layout="{training,validation}/images/*.jpg and {training,validation}/labels/*.png, as in "
    "the packages before version 2.0 (of that package use kind mapillary_1_2 or mapillary_2_0)",
    source="the Mapillary Vistas site, after registration: the package of version 1.0 or 1.1",
)
