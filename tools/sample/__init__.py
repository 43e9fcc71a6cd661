"""The clip that the demo mills: a drawn picture and spoken digits, made by programs alone."""
