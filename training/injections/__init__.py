"""The n-gram models of injected orders: texts in; weights, thresholds, metrics and the model card out."""
