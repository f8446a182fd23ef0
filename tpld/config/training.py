"""Sections about training: source, self-training rounds, phase 2 (METHOD 1, 6, 7 and 9)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tpld.section import Count, NotNegative, Portion, Positive, Scale, Section, Size


class Jitter(Section):
    """Photometric augmentation (torchvision); 0 everywhere is what the paper's baselines do."""

    brightness: NotNegative = 0.0
    """Factor drawn from [1 - b, 1 + b]."""
    contrast: NotNegative = 0.0
    """Factor drawn from [1 - c, 1 + c]."""
    saturation: NotNegative = 0.0
    """Factor drawn from [1 - s, 1 + s]."""
    hue: float = Field(default=0.0, ge=0, le=0.5)
    """Shift drawn from [-h, h] of the colour circle."""
    gamma: NotNegative = 0.0
    """Exponent drawn log-uniformly from [1 / (1 + g), 1 + g]."""
    blur: NotNegative = 0.0
    """Standard deviation of a Gaussian blur drawn from [0, b] pixels."""
    noise: NotNegative = 0.0
    """Standard deviation of Gaussian noise drawn from [0, n], in units of the full range."""


class SourceTraining(Section):
    """The source model (METHOD 1)."""

    steps: Count = 100_000
    """Training steps; the polynomial decay ends here."""
    batch_size: Count = 4
    """Crops a step."""
    crop: Size = (500, 500)
    """Height and width of a crop."""
    scale: Scale = (0.5, 1.5)
    """Range of the scale jitter."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """`sgd` as the paper's baselines; `adamw` gets further in few steps from random weights."""
    learning_rate: Positive = 2.5e-4
    """Of the backbone."""
    head_factor: Positive = 10.0
    """Learning rate of the classifier head over that of the backbone."""
    warmup_steps: int = Field(default=0, ge=0)
    """Steps of linear warm-up; useful from random weights."""
    momentum: NotNegative = 0.9
    """Of SGD."""
    weight_decay: NotNegative = 5e-4
    """Of SGD (added to the gradient) or AdamW (decoupled)."""
    batch_norm: Literal["frozen", "train"] = "frozen"
    """`frozen` keeps statistics and affine of the loaded weights; random weights need `train`."""
    jitter: Jitter = Jitter()
    """Photometric augmentation of the source crops."""


class Loss(Section):
    """Target loss of phase 1 (METHOD 6)."""

    mrkld_weight: NotNegative = 0.01
    """Effective MRKLD weight; CRST's 0.1 is multiplied twice and trains as 0.01."""
    beta: float = Field(default=0.95, ge=0, le=1)
    """Weight of the pseudo label in soft bootstrapping (TPLD alone); 1 switches it off."""
    bootstrap_target: Literal["normalised", "probability", "printed"] = "normalised"
    """The bootstrapped part: r / Σ r, the softmax p, or the paper's formula as printed."""
    stop_gradient: bool = True
    """Treat the bootstrapped target as a constant."""
    on_unlabelled: bool = False
    """Bootstrap unlabelled target pixels too."""


class SelfTraining(Section):
    """Self-training rounds (METHOD 7)."""

    rounds: Count = 6
    """Phase-1 rounds with TPLD."""
    base_rounds: Count = 3
    """Rounds of the plain self-training method."""
    epochs: Positive = 2.0
    """Passes over the target images (and the source subset) a round."""
    batch_size: int = Field(default=2, ge=1)
    """Crops a step, a random mix of both domains."""
    crop: Size = (512, 1024)
    """Height and width of a crop."""
    scale: Scale = (0.5, 1.5)
    """Range of the scale jitter."""
    learning_rate: Positive = 5e-5
    """Constant learning rate of the backbone."""
    head_factor: Positive = 10.0
    """Learning rate of the classifier head over that of the backbone."""
    momentum: NotNegative = 0.9
    """Of SGD."""
    weight_decay: NotNegative = 5e-4
    """Of SGD."""
    batch_norm: Literal["frozen", "train"] = "frozen"
    """BatchNorm policy of both phases."""
    source_share: Portion = 0.03
    """Share of the source images in round 0."""
    source_share_step: NotNegative = 0.0025
    """Growth of that share a round."""
    max_source_share: Portion = 0.06
    """Upper bound of that share."""
    mining_probability: float = Field(default=0.8, ge=0, le=1)
    """Probability of centring a target crop on a mined class."""
    jitter: Jitter = Jitter()
    """Photometric augmentation of source and target crops."""


class Phase2(Section):
    """Confidence split, full labels and D_intra (METHOD 8 and 9)."""

    rounds: int = Field(default=3, ge=0)
    """Phase-2 rounds."""
    easy_portion: Portion = 0.30
    """Share of the target images that count as easy."""
    easy_step: NotNegative = 0.0
    """Growth of that share a phase-2 round."""
    divide_by: Literal["confident", "predicted"] = "confident"
    """Classes that the confidence sums and averages over."""
    weight_by_threshold: bool = True
    """Weigh each class by 1 / λ."""
    gamma: Positive = 2.0
    """Exponent that calibrates the full labels."""
    full_label: Literal["soft", "hard", "argmax", "sparse"] = "soft"
    """Reading of the calibrated label: soft, one-hot with weight, one-hot without; or `sparse`,
    the confident labels alone (a control)."""
    hard_label: Literal["none", "sparse"] = "none"
    """Labels of the hard images: `none` as in the paper; `sparse`, their confident pixels."""
    source_crops: int = Field(default=0, ge=0)
    """Labelled source crops beside each pair; 0 as in the paper."""
    epochs: Positive = 2.0
    """Passes over the hard images a round."""
    pairs: Count = 1
    """Easy and hard crops a step, each."""
    learning_rate: Positive = 5e-5
    """Constant learning rate of the backbone."""
    adversarial_weight: NotNegative = 0.001
    """λ_adv of the network's adversarial loss."""
    discriminator_learning_rate: Positive = 1e-4
    """Of Adam."""


class Adversarial(Section):
    """Methods that train on source and target together against discriminators (METHOD 10)."""

    start: Literal["initial", "source"] = "initial"
    """`initial`: from model.weights, as in the papers; `source`: from the source model."""
    steps: Count | None = None
    """Updates; left out: the method's own (150 000, 120 000 or 100 000)."""
    decay_steps: Count | None = None
    """Where the polynomial decay ends; left out: the method's own (250 000, CLAN 100 000)."""
    batch_size: Count = 1
    """Images of each domain a step."""
    source_size: Size = (720, 1280)
    """Height and width that whole source images are brought to."""
    target_size: Size = (512, 1024)
    """Height and width that whole target images are brought to."""
    mirror: bool = False
    """Mirror half of the images."""
    jitter: Jitter = Jitter()
    """Photometric augmentation of both domains' images."""
    learning_rate: Positive = 2.5e-4
    """Of the backbone, decaying."""
    head_factor: Positive = 10.0
    """Learning rate of the classifier heads over that of the backbone."""
    momentum: NotNegative = 0.9
    """Of SGD."""
    weight_decay: NotNegative = 5e-4
    """Of SGD."""
    batch_norm: Literal["frozen", "train"] = "frozen"
    """`frozen` keeps statistics and affine of the loaded weights; random weights need `train`."""
    discriminator_learning_rate: Positive = 1e-4
    """Of Adam, decaying alike."""
