"""From fp32 graphs to the same graphs at other precisions."""
