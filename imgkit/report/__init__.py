"""Pictures and pages about pipelines and runs."""
