"""plumbline.toml → frozen values; every error names the key. Nothing here looks at an archive."""
