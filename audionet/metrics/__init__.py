"""Figures from arrays: how good a recogniser or a generator is."""

from audionet.metrics.classification import ClassScores, accuracy, check_confusion, per_class, ratio

__all__ = ["ClassScores", "accuracy", "check_confusion", "per_class", "ratio"]
