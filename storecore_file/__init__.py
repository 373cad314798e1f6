"""The file backend: bars in Parquet, documents in JSON, logs in JSONL, in a folder of files."""
