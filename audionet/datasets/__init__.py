"""Corpora from cards: download and verify, index and split, clip stores, synthetic words."""

from audionet.datasets.cards import Card, CardError, labels, list_cards, plain_card, read_card
from audionet.datasets.clip import Clip
from audionet.datasets.download import DownloadError, get, verify
from audionet.datasets.layouts import background, index

__all__ = [
    "Card",
    "CardError",
    "Clip",
    "DownloadError",
    "background",
    "get",
    "index",
    "labels",
    "list_cards",
    "plain_card",
    "read_card",
    "verify",
]
