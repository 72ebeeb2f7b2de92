"""Layers, containers and initialization."""
