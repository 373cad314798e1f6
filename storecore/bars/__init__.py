"""Price bars: as rows, as Arrow tables, checked, grouped by symbol, asked for and answered."""
