"""What other tools read from an export is what the store lists.

    export_peers.py PATH-OF-ASOF

Makes a store in a temporary folder, fills it, exports it in each format, and opens the files with
DuckDB and with Polars.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile

import duckdb
import polars

KEYS = 2_500


def asof(*line, data, text=None):
    command = [ASOF, "--data", data, *line]
    ran = subprocess.run(command, input=text, capture_output=True, text=True)
    if ran.returncode != 0:
        raise SystemExit(f"{command}: {ran.returncode}: {ran.stderr}")
    return ran.stdout


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def value(n):
    """A value of each kind, the odd ones among them; with what it is as bytes."""
    kinds = [
        ({"value": {"n": n, "name": "naïve \"quoted\""}}, None),
        ({"value_text": f'line one,\nline "two" of {n}'}, None),
        ({"value_base64": base64.b64encode(bytes([n % 256, 0, 255])).decode()}, bytes([n % 256, 0, 255])),
        ({"value_text": ""}, b""),
        ({"value": n / 8}, None),
    ]
    return kinds[n % len(kinds)]


def fill(data):
    writes = [
        {"space": "things", "key": f"{n:05}/ключ", **value(n)[0]} for n in range(KEYS)
    ]
    commit = json.dumps({"writes": writes}, ensure_ascii=False)
    asof("commit", "-", data=data, text=commit)
    at = objects(asof("time", "--json", data=data))[0]["latest"]
    # What comes after the moment must not be seen.
    asof("put", "things", "00000/ключ", "--value", "later", data=data)
    asof("delete", "things", "00001/ключ", data=data)
    return str(at)


def rows_of_peers(folder, extension):
    """(peer, rows), a row being (key, effective, commit, content_type, hash, bytes, value)."""
    files = f"{folder}/things/*.{extension}"
    columns = "key, effective, commit, content_type, hash, bytes"
    if extension == "parquet":
        sql = f"select {columns.replace('effective', 'epoch_us(effective)')}, value from '{files}' order by key"
        yield "duckdb", duckdb.sql(sql).fetchall()
        frame = polars.read_parquet(files).with_columns(polars.col("effective").dt.epoch("us"))
        yield "polars", frame.sort("key").rows()
    elif extension == "csv":
        sql = f"""select {columns}, encoding, value
                  from read_csv('{files}', header = true, quote = '"', escape = '"', types = {{'value': 'VARCHAR'}})
                  order by key"""
        yield "duckdb", [decoded(row) for row in duckdb.sql(sql).fetchall()]
        frame = polars.read_csv(files, schema_overrides={"value": polars.String})
        yield "polars", [decoded(row) for row in frame.sort("key").rows()]
    else:
        sql = f"select {columns} from read_json('{files}', format = 'newline_delimited') order by key"
        yield "duckdb", [(*row, None) for row in duckdb.sql(sql).fetchall()]
        frame = polars.scan_ndjson(files, infer_schema_length=None).select(columns.split(", ")).collect()
        yield "polars", [(*row, None) for row in frame.sort("key").rows()]


def decoded(row):
    *rest, encoding, text = row
    return (*rest, base64.b64decode(text) if encoding == "base64" else (text or "").encode())


def main():
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/data"
        os.mkdir(data)
        at = fill(data)
        listed = objects(asof("ls", "things", "--as-of", at, "--json", data=data))
        assert len(listed) == KEYS
        expected = [(row["key"], row["from"], row["hash"], row["bytes"]) for row in listed]
        for extension in ["parquet", "csv", "jsonl"]:
            to = f"{folder}/{extension}"
            line = ["export", "things", "--as-of", at, "--format", extension, "--part-rows", "1000", "--to", to]
            asof(*line, data=data)
            for peer, rows in rows_of_peers(to, extension):
                seen = [(key, effective, hash, size) for key, effective, _, _, hash, size, _ in rows]
                assert seen == expected, f"{peer} reads something else from {extension}"
                for key, *_, size, read in rows:
                    if read is None:
                        continue
                    assert len(read) == size, f"{peer}, {extension}: {key} has {len(read)} bytes, not {size}"
                    kind, exact = value(int(key[:5]))
                    if exact is None:
                        exact = kind["value_text"].encode() if "value_text" in kind else read
                        if "value" in kind:
                            assert json.loads(read) == kind["value"], f"{peer}, {extension}: {key}"
                    assert read == exact, f"{peer}, {extension}: {key}"
                print(f"{peer} agrees with ls on {len(rows)} rows of {extension}")


ASOF = sys.argv[1]
main()
