"""Procedural sample pictures: one module per picture, every pixel computed here."""
