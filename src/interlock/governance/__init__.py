"""Owners, workloads and the coverage gap between what exists and what is enforced."""
