"""Price bars: as rows and as Arrow tables; their checks, queries and anomalies."""
