"""What hallpass costs beside Envoy's own filters, measured in real Envoys side by side. Started by scripts/bench."""
