"""The two options that every command which reads settings has."""

import argparse

from interlock.config import Settings, load


def add(parser: argparse.ArgumentParser) -> None:
    """Add `--config` and `--data`."""
    parser.add_argument("--config", metavar="FILE", help="settings (default: ./interlock.toml if there is one)")
    parser.add_argument("--data", metavar="DIR", help="where interlock keeps things (default: the user's data folder)")


def settings(args: argparse.Namespace) -> Settings:
    """The settings that these arguments name."""
    return load(args.config, args.data)
