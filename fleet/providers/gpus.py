"""GPUs by name: which driver branch runs them, up to which CUDA, and what that means for today's frameworks.

Sources:

- Last driver branch and last CUDA toolkit of an architecture: NVIDIA, "CUDA Toolkit, Driver, and Architecture Matrix"
  (read 2026-11): Kepler 3.7 R470 and CUDA 11.x; Maxwell 5.2 and Volta 7.0 R580 and CUDA 12.x; Turing and newer go on.
- The CUDA that a branch runs at most: NVIDIA's release notes of CUDA (11.4 came with R470, 13.0 with R580).
- Which kernel modules: NVIDIA, "Driver Installation Guide", Kernel Modules (read 2026-11): the open ones run on Turing and
  newer only, the proprietary ones are required for Maxwell, Pascal and Volta, and do not run on Blackwell.
- Pascal (P4 6.1, P100 6.0) ends with the same branch and toolkit as Maxwell and Volta, by the same matrix.
- PyTorch: pytorch/pytorch#157517 (2025-07): from 2.8 on, builds for CUDA 12.8 and newer begin at capability 7.5; those for
  CUDA 12.6 have 5.0, 6.0 and 7.0.
- That AWS itself runs G3 and P3 with the proprietary flavour: release notes of its Deep Learning AMI "Base Proprietary
  Nvidia Driver" (2026-01-02: G3, P3, driver 570.195.03), and G5g with R595 (2026-09).
"""

from __future__ import annotations

from typing import NamedTuple


class Gpu(NamedTuple):
    """One kind of device."""

    architecture: str
    capability: float
    branch: str | None
    """NVIDIA's driver branch as Ubuntu's packages are named; None: not NVIDIA's."""
    cuda: str
    """The highest that this branch runs on this device."""
    open_kernel: bool
    """The open kernel modules run it (and are advised); else the proprietary ones must be taken."""
    note: str


_OLD_MAXWELL = "PyTorch 2.8 and newer: only the builds for CUDA 12.6; nothing for CUDA 13"
_ANY = "every current framework"
_NEW = "needs CUDA 12.8 or newer"

GPUS: dict[str, Gpu] = {
    "K80": Gpu("Kepler", 3.7, "470-server", "11.4", open_kernel=False,
               note="driver 470 and CUDA 11 at most: no framework that needs CUDA 12 runs on it"),
    "M60": Gpu("Maxwell", 5.2, "580-server", "12.9", open_kernel=False, note=_OLD_MAXWELL),
    "P4": Gpu("Pascal", 6.1, "580-server", "12.9", open_kernel=False, note=_OLD_MAXWELL),
    "P100": Gpu("Pascal", 6.0, "580-server", "12.9", open_kernel=False, note=_OLD_MAXWELL),
    "V100": Gpu("Volta", 7.0, "580-server", "12.9", open_kernel=False, note=_OLD_MAXWELL),
    "T4": Gpu("Turing", 7.5, "580-server", "13.0", open_kernel=True, note=_ANY),
    "T4g": Gpu("Turing", 7.5, "580-server", "13.0", open_kernel=True, note=f"{_ANY} with builds for 64-bit ARM"),
    "A10G": Gpu("Ampere", 8.6, "580-server", "13.0", open_kernel=True, note=_ANY),
    "A100": Gpu("Ampere", 8.0, "580-server", "13.0", open_kernel=True, note=_ANY),
    "A100-80GB": Gpu("Ampere", 8.0, "580-server", "13.0", open_kernel=True, note=_ANY),
    "L4": Gpu("Ada", 8.9, "580-server", "13.0", open_kernel=True, note=_ANY),
    "L40S": Gpu("Ada", 8.9, "580-server", "13.0", open_kernel=True, note=_ANY),
    "H100": Gpu("Hopper", 9.0, "580-server", "13.0", open_kernel=True, note=_ANY),
    "H100-MEGA": Gpu("Hopper", 9.0, "580-server", "13.0", open_kernel=True, note=_ANY),
    "H200": Gpu("Hopper", 9.0, "580-server", "13.0", open_kernel=True, note=_ANY),
    "RTX-PRO-4500": Gpu("Blackwell", 12.0, "580-server-open", "13.0", open_kernel=True, note=_NEW),
    "RTX-PRO-Server-6000": Gpu("Blackwell", 12.0, "580-server-open", "13.0", open_kernel=True, note=_NEW),
    "RTX-PRO-6000": Gpu("Blackwell", 12.0, "580-server-open", "13.0", open_kernel=True, note=_NEW),
    "B200": Gpu("Blackwell", 10.0, "580-server-open", "13.0", open_kernel=True, note=_NEW),
    "B300": Gpu("Blackwell", 10.3, "580-server-open", "13.0", open_kernel=True,
                note="needs CUDA 12.9 or newer"),
    "Radeon-Pro-V520": Gpu("RDNA", 0.0, None, "", open_kernel=False, note="AMD's: no CUDA; fleet installs no driver for it"),
}  # fmt: skip
"""By the name that jobs use in ``accelerators``."""

NEWEST = Gpu("newer", 0.0, "580-server", "13.0", open_kernel=True, note="not in fleet's table: the newest driver is taken")
"""For an NVIDIA device that the table does not know."""
