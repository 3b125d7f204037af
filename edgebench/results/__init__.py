"""Keep runs on disk, and say what they mean: tables, verdicts, the variant to ship."""
