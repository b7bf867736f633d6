"""Scripted peers for tests, demos and benches: real servers on loopback that say what they are told to."""
