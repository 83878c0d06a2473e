"""Images on disk: scan, decode, run, encode, commit."""
