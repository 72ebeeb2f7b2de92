"""What a student uses: workspace, check, notebooks."""
