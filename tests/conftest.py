"""What every test shares: property tests draw the same examples in every run."""

from hypothesis import settings

settings.register_profile("seeded", derandomize=True)
settings.load_profile("seeded")
