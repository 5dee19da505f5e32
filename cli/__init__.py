"""The command ``nst``."""
