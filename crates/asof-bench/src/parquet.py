"""Loads the Parquet files of a folder into a table of a DuckDB database, then writes that table as
Parquet as often as it is told, with one thread; prints the seconds that each took."""

import sys
import time

import duckdb

folder, work = sys.argv[1:3]
base = duckdb.connect(f"{work}/table.duckdb")
base.execute("SET threads = 1")
base.execute("SET enable_progress_bar = false")
base.execute(f"CREATE TABLE exported AS SELECT * FROM read_parquet('{folder}/**/*.parquet')")
base.execute("CHECKPOINT")
rows = base.execute("SELECT count(*) FROM exported").fetchone()[0]
print(duckdb.__version__, rows, flush=True)
for _ in sys.stdin:
    begun = time.perf_counter()
    base.execute(f"COPY exported TO '{work}/copied.parquet' (FORMAT parquet, COMPRESSION snappy)")
    print(time.perf_counter() - begun, flush=True)
