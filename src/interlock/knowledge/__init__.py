"""The facts as data files (service fingerprints, packages, symbols, credentials, frameworks) and their loader."""
