"""Fields of profiles that the deployer declares.

Revision: 0031
Before it: 0030
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
KEY = sa.String(450).with_variant(sa.String(450, collation="C"), "postgresql")
JSON_OBJECT = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

#: The built-in fields and their types before; title and zip get longer.
COLUMNS = {
    "title": (sa.String(5), sa.String(50)),
    "dob": (sa.Date(), sa.Date()),
    "address": (sa.String(255), sa.String(255)),
    "country": (sa.String(50), sa.String(50)),
    "city": (sa.String(50), sa.String(50)),
    "zip": (sa.String(16), sa.String(50)),
}


def upgrade() -> None:
    with op.batch_alter_table("user_profiles") as profiles:
        for name, (before, after) in COLUMNS.items():
            profiles.alter_column(name, existing_type=before, type_=after, nullable=True)
        profiles.add_column(sa.Column("extra", JSON_OBJECT))
    op.create_table(
        "user_field_keys",
        sa.Column("field", sa.String(40), primary_key=True),
        sa.Column("key", KEY, primary_key=True),
        sa.Column("user_id", ROW_ID, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("is_unique", sa.Boolean, nullable=False),
    )
    op.create_index("ix_user_field_keys_user_id", "user_field_keys", ["user_id"])
    where = sa.text("is_unique IS true") if op.get_bind().dialect.name == "postgresql" else sa.text("is_unique IS 1")
    op.create_index(
        "uq_user_field_keys_field_key",
        "user_field_keys",
        ["field", "key"],
        unique=True,
        postgresql_where=where,
        sqlite_where=where,
    )
    op.create_table(
        "field_key_states",
        sa.Column("field", sa.String(40), primary_key=True),
        sa.Column("built_at", MOMENT, nullable=False),
    )
    op.create_table(
        "profile_declarations",
        sa.Column("id", ROW_ID, primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("declared_at", MOMENT, nullable=False),
        sa.UniqueConstraint("digest"),
    )


def downgrade() -> None:
    """Values of own fields are lost, titles and postal codes cut, and missing values replaced by empty ones."""
    for table in ("profile_declarations", "field_key_states", "user_field_keys"):
        op.drop_table(table)
    op.execute(
        "UPDATE user_profiles SET title = substr(coalesce(title, ''), 1, 5), zip = substr(coalesce(zip, ''), 1, 16), "
        "dob = coalesce(dob, DATE '1900-01-01'), address = coalesce(address, ''), country = coalesce(country, ''), "
        "city = coalesce(city, '')"
        if op.get_bind().dialect.name == "postgresql"
        else "UPDATE user_profiles SET title = substr(coalesce(title, ''), 1, 5), "
        "zip = substr(coalesce(zip, ''), 1, 16), dob = coalesce(dob, '1900-01-01'), address = coalesce(address, ''), "
        "country = coalesce(country, ''), city = coalesce(city, '')"
    )
    with op.batch_alter_table("user_profiles") as profiles:
        profiles.drop_column("extra")
        for name, (before, after) in COLUMNS.items():
            profiles.alter_column(name, existing_type=after, type_=before, nullable=False)
