"""Two-phase pseudo label densification (TPLD) for domain adaptive semantic segmentation."""

__version__ = "0.1.0"
