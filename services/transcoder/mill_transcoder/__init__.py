"""Probe, encode, package and publish with ffmpeg and Shaka Packager."""
