"""Worker processes: one for each platform, asked by lines of JSON."""
