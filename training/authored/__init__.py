"""Texts written for this project: attacks of many kinds and, with the same words, honest texts. All made up here."""
