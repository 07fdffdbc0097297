"""A walk through a running stack: real requests with curl, each answer checked. Started by scripts/demo."""
