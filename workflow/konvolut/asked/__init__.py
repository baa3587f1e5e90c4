"""What is asked for: configuration and sheets, and the shards that they become. No torch here."""
