"""${message}"""

from pathlib import Path

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Run the frozen statements beside this file."""
    driver = op.get_bind().connection.driver_connection
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """Forward only: restore a backup instead."""
    raise NotImplementedError("migrations run forward only; restore a backup instead")
