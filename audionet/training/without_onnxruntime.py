"""Torchmetrics without onnxruntime, whose mere import leaves a device id and a database for its telemetry behind.

Lightning imports torchmetrics, which imports onnxruntime for one metric of speech (DNSMOS) where librosa, requests and
onnxruntime are all installed. Imported first, this module lets torchmetrics take onnxruntime for missing.
"""

from unittest import mock

from lightning_utilities.core.imports import RequirementCache

_is_available = RequirementCache.__bool__


def _is_available_and_wanted(requirement: RequirementCache) -> bool:
    return requirement.requirement != "onnxruntime" and _is_available(requirement)


with mock.patch.object(RequirementCache, "__bool__", _is_available_and_wanted):
    import torchmetrics  # noqa: F401
