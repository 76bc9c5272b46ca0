"""What libraries tell each other on the console, which is no news to our user."""

from __future__ import annotations

import logging
import warnings

# On some processors every import of bitsandbytes advises to install a kernel for answers of 4-bit models, which we keep
# in the layout that trains (models/quantization.py).
_BITSANDBYTES_ON_CPU, _ADVERTISED = "bitsandbytes.backends.cpu.ops", "gemm_4bit_forward"


def drop_advice() -> None:
    """For the rest of this process. Only programs call this: a library leaves its caller's warnings alone."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    logging.getLogger(_BITSANDBYTES_ON_CPU).addFilter(lambda record: _ADVERTISED not in record.getMessage())
