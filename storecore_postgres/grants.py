"""What an administrator gives to two roles: one that only reads, one that writes too."""

from __future__ import annotations

_GRANTS = """\
-- put the names of your roles in the place of reader and writer (CREATE ROLE … LOGIN)
-- for a role that only reads:
GRANT USAGE ON SCHEMA {schema} TO reader;
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO reader;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO reader;

-- for a role that writes too; nobody is granted to change or delete the audit log:
GRANT USAGE ON SCHEMA {schema} TO writer;
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA {schema} TO writer;
GRANT SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA {schema} TO writer;
GRANT UPDATE ON {schema}.bars, {schema}.fundamentals, {schema}.audit_heads TO writer;
GRANT DELETE ON {schema}.bars, {schema}.states TO writer;
"""


def grants(schema: str) -> str:
    """Return the SQL for a reading and a writing role; `schema` is quoted."""
    return _GRANTS.format(schema=schema)
