"""How good, and how sure: predictions, scores, intervals and paired comparisons."""
