"""Where to compute."""

import torch


def usable(device: str | torch.device) -> torch.device:
    """Return the device, if this machine has it.

    Raises:
        ValueError: It has not; the message lists those it has.
    """
    known = ["cpu"]
    if accelerator := torch.accelerator.current_accelerator(check_available=True):
        kind = accelerator.type
        known += [kind, *(f"{kind}:{index}" for index in range(torch.accelerator.device_count()))]
    if str(device) not in known:
        raise ValueError(
            f"device {str(device)!r} cannot be used here, only {', '.join(known)}; `audionet doctor` tells more"
        )
    return torch.device(device)
