"""How what the product ships was learned: each with its data, its script and its card."""
