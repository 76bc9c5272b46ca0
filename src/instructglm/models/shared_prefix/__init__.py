"""Shared-prefix packing: a prompt once, all its outputs after it, many such examples in one row, and no padding.

Every output sees the prompt and itself, and counts its positions from where
the prompt ends. So the row computes what k padded copies of each prompt would.
"""

from instructglm.models.shared_prefix.segments import Bounds, Segments

__all__ = ["Bounds", "Segments"]
