"""Webhooks as clients manage them."""
