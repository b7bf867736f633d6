"""Canonical records, the Merkle tree, signed checkpoints, and their verification. No storage."""
