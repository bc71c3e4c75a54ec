"""audit trail: the database itself refuses to change or remove an entry

Revision a7c2f85e41d9, after e27a5d41b8c9. On SQLite a table that is copied loses its triggers: a later migration that
alters audit_entries in batch creates them again.
"""

from alembic import op

revision = "a7c2f85e41d9"
down_revision = "e27a5d41b8c9"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("""
            CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'audit entries are never changed'; END $$
        """)
        op.execute("""
            CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR DELETE ON audit_entries
            FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()
        """)
        return
    for verb in ("update", "delete"):
        op.execute(f"""
            CREATE TRIGGER audit_entries_no_{verb} BEFORE {verb.upper()} ON audit_entries
            BEGIN SELECT RAISE(ABORT, 'audit entries are never changed'); END
        """)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER audit_entries_append_only ON audit_entries")
        op.execute("DROP FUNCTION refuse_audit_change()")
        return
    for verb in ("update", "delete"):
        op.execute(f"DROP TRIGGER audit_entries_no_{verb}")
