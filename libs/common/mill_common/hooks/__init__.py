"""Webhooks: what happens to jobs is written down with it, and sent until it is taken.

events, progress    what is written in the queue's transactions      payload, ready   what it says
claims, outcome     how a watchdog takes a delivery and what came    secrets          how it is signed
schedule            when it is tried again                           endpoints        what clients ask for
"""
