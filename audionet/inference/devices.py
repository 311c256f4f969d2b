"""The device that computes."""

import torch


def usable(device: str | torch.device) -> torch.device:
    """Return the device, if this machine has it.

    Args:
        device: "cpu", an accelerator such as "cuda" or "mps", or one of several, such as "cuda:1".

    Raises:
        ValueError: The machine does not have it; the message lists those that it has.

    Example:
        >>> usable("cpu")
        device(type='cpu')
    """
    known = ["cpu"]
    if accelerator := torch.accelerator.current_accelerator(check_available=True):
        kind = accelerator.type
        known += [kind, *(f"{kind}:{index}" for index in range(torch.accelerator.device_count()))]
    if str(device) not in known:
        listing = ", ".join(known)
        raise ValueError(f"device: expected one of {listing}, got {str(device)!r}; `audionet doctor` tells more")
    return torch.device(device)
