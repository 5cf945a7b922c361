"""Fitted estimators in files that one keeps and shares: arrays and a description, nothing that is executed."""

from sklearn_gass.persistence._models import describe_model, load_model, save_model

__all__ = ["describe_model", "load_model", "save_model"]
