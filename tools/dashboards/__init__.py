"""Grafana's dashboards, generated: `python -m tools.dashboards [--check]` writes `deploy/grafana/dashboards`."""
